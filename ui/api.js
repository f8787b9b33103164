// What the page knows of the replica, and how it asks. The API key is nowhere but in this object: closing the tab forgets it.
const app = {
  key: "", keyDemanded: false, keyRefused: "",
  /** The last trouble of a look, and when data last came, by performance.now(). */
  trouble: null, lastGood: null,
  paused: false, live: "connecting", me: null, health: null, redis: null, toast: null, replica: null,
  pageVersion: document.querySelector("meta[name=gorilla-version]").content,
};
const watchers = new Set();
let isTold = false;
/** Draws everything anew that looks at `app`, once for all changes of this moment. */
function changed() {
  if (isTold) return;
  isTold = true;
  queueMicrotask(() => { isTold = false; for (const watcher of [...watchers]) watcher(); });
}
function useApp() {
  const [, draw] = useState(0);
  useEffect(() => { const watcher = () => draw(n => n + 1); watchers.add(watcher); return () => watchers.delete(watcher); }, []);
  return app;
}

/** Asks the replica. Never throws: status 0 stands for "no answer", -1 for a request that the page gave up itself. */
async function ask(path, { method = "GET", json, once, signal, patience = 20000 } = {}) {
  const headers = { Accept: "application/json" };
  if (app.key) headers.Authorization = `Bearer ${app.key}`;
  if (json) headers["Content-Type"] = "application/json";
  if (once) headers["Idempotency-Key"] = once;
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), patience);
  const stop = () => limit.abort();
  signal?.addEventListener("abort", stop);
  const sent = performance.now();
  let status = 0, body = null;
  try {
    const response = await fetch(path, { method, headers, body: json && JSON.stringify(json), signal: limit.signal, cache: "no-store" });
    status = response.status;
    body = await response.json().catch(() => null);
  } catch { status = signal?.aborted ? -1 : 0; }
  clearTimeout(timer);
  signal?.removeEventListener("abort", stop);
  const answer = { status, body, sent, received: performance.now(), ok: status >= 200 && status < 300,
    code: body?.code ?? "", message: body?.errorMessage ?? "" };
  // A replica of another version has not this path, or not this parameter.
  answer.isMissing = (status === 404 && answer.code !== "lock_not_found") || status === 405 || status === 400 && (/unknown parameter/.test(answer.message) || body?.field === "query");
  // What doesn't ask Redis says nothing about the age of the data.
  judge(answer, method === "GET" && !/^(_health|api\/v1\/me)$/.test(path));
  return answer;
}

function judge(answer, isLook) {
  if (answer.status === -1) return;
  if (answer.ok) {
    clock.learnFrom(answer);
    if (isLook && (app.trouble || app.lastGood == null || answer.received - app.lastGood > 900)) changed();
    if (isLook) Object.assign(app, { trouble: null, lastGood: answer.received, keyRefused: "" });
    if (app.key) app.keyDemanded = false;
  } else if (answer.status === 401) {
    Object.assign(app, { keyDemanded: true, keyRefused: answer.code === "invalid_key" ? answer.message : "" });
    changed();
  } else if (isLook && (answer.status === 0 || answer.status === 429 || answer.status >= 500)) {
    app.trouble = { status: answer.status, code: answer.code, message: answer.message };
    changed();
  }
}

/** Whoever wants to look again at once: the tab is seen again, or the machine was asleep. */
const wakers = new Set();
const wake = () => { for (const waker of [...wakers]) waker(); };

/** Asks again and again: `{data, problem, at}`. What came last stays while answers fail. Null asks nothing. */
function usePoll(path, every, more = {}) {
  const [got, set] = useState({});
  const { key, paused } = useApp();
  useEffect(() => {
    if (path == null) { set({}); return; }
    let timer, stopped = false, busy = false;
    const control = new AbortController();
    const round = async () => {
      clearTimeout(timer);
      if (busy || stopped) return;
      if (document.hidden) { timer = setTimeout(round, 1000); return; }
      busy = true;
      const answer = await ask(path, { signal: control.signal });
      busy = false;
      if (stopped || answer.status === -1) return;
      set(old => {
        const last = old.path === path ? old : {};
        return answer.ok ? { path, data: answer.body, problem: null, at: answer.received } : { ...last, path, problem: answer };
      });
      if (!paused) timer = setTimeout(round, answer.isMissing || answer.status === 403 ? 30000 : answer.status === 429 ? every + 5000 : every);
    };
    round();
    if (!paused) wakers.add(round);
    return () => { stopped = true; clearTimeout(timer); control.abort(); wakers.delete(round); };
  }, [path, every, key, paused, more.again]);
  return got.path === path ? got : {};
}

/** Whether the key allows a verb, with this lock or with any: true, false, or null if this replica does not say. */
function allows(verb, name) {
  if (!app.me) return null;
  if (!app.me.keysDemanded) return true;
  const on = app.me.rights?.[verb];
  return on != null && (name == null || on.all || on.names.includes(name) || on.prefixes.some(prefix => name.startsWith(prefix)));
}

/** A key for one write, also where the page came by plain HTTP and the browser has no randomUUID. */
const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, "0")).join("");
