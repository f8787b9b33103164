// The page as a whole: routes, the head of the page, search, keys, and what stands in the way of data.

const views = { overview: ["Overview", "#/"], locks: ["Locks", "#/locks"], contention: ["Contention", "#/contention"], events: ["Events", "#/events"] };

/** Routes are in the hash, which no proxy and no log of a server sees: `{view, name, query}`. */
function route() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, ...rest] = path.split("/");
  if (view === "locks" && rest.length && rest[0]) {
    try { return { view: "lock", name: decodeURIComponent(rest.join("/")), query: new URLSearchParams() }; } catch { return { view: "lost", query: new URLSearchParams() }; }
  }
  return { view: view === "" ? "overview" : view in views ? view : "lost", query: new URLSearchParams(query) };
}
function useRoute() {
  const [hash, set] = useState(location.hash);
  useEffect(() => { const look = () => { set(location.hash); scrollTo(0, 0); }; addEventListener("hashchange", look); return () => removeEventListener("hashchange", look); }, []);
  return useMemo(route, [hash]);
}
/** Changes parameters of the address without a new entry in the history for each letter. */
function setQuery(path, query, change) {
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(change)) if (value) next.set(name, value); else next.delete(name);
  history.replaceState(null, "", `${path}${next.size ? `?${next}` : ""}`);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** What a browser keeps between visits: the theme, and whether keys are on. Never the API key. */
const kept = {
  get(name) { try { return localStorage.getItem(`gorilla-${name}`); } catch { return null; } },
  set(name, value) { try { localStorage.setItem(`gorilla-${name}`, value); } catch { /* The browser keeps nothing; it is for this visit then. */ } },
};

const keyMaps = new Set();
let keysAreOn = kept.get("keys") !== "off", wasG = 0;
/** What keys do while a view is there. Never while somebody types. */
function useKeys(map, deps) {
  useEffect(() => { keyMaps.add(map); return () => keyMaps.delete(map); }, deps);
}
addEventListener("keydown", event => {
  const { target, key } = event;
  if (!keysAreOn || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (document.querySelector("dialog[open]") || target.closest?.("input,select,textarea,[contenteditable]")) return;
  if (key === "Enter" && target.closest?.("a,button,summary")) return;
  const afterG = performance.now() - wasG < 1200;
  wasG = key === "g" ? performance.now() : 0;
  const places = { o: "#/", l: "#/locks", c: "#/contention", e: "#/events" };
  if (afterG && places[key]) { event.preventDefault(); location.hash = places[key]; return; }
  for (const map of keyMaps) if (map[key] && map[key]() !== false) { event.preventDefault(); return; }
});

const prefersLight = matchMedia("(prefers-color-scheme: light)");
let theme = kept.get("theme") ?? "auto";
const showTheme = () => { document.documentElement.dataset.theme = theme === "auto" ? prefersLight.matches ? "light" : "dark" : theme; };
prefersLight.addEventListener("change", showTheme);
showTheme();
function setTheme(next) {
  theme = next;
  kept.set("theme", theme);
  showTheme();
  changed();
}

/** Finds a lock. An exact name is always tried, because a search that misses what exists loses trust. */
function Search() {
  const input = useRef();
  const [text, setText] = useState("");
  const [found, setFound] = useState(null);
  const [at, setAt] = useState(-1);
  useKeys({ "/": () => { input.current.focus(); input.current.select(); } }, []);
  useEffect(() => {
    setAt(-1);
    if (!text) { setFound(null); return; }
    const control = new AbortController();
    const timer = setTimeout(async () => {
      const [exact, list] = await Promise.all([ask(lockPath(text), { signal: control.signal }), ask(`api/v1/locks?limit=200&prefix=${encodeURIComponent(text)}`, { signal: control.signal })]);
      if (control.signal.aborted) return;
      const names = (list.body?.locks ?? []).map(lock => lock.resource).filter(name => name !== text).slice(0, 7);
      setFound({ exact: exact.ok ? exact.body : null, refusal: exact.status === 400 ? exact.message : null, names, more: list.body?.cursor != null });
    }, 180);
    return () => { clearTimeout(timer); control.abort(); };
  }, [text]);
  const options = found ? [...(found.exact ? [text] : []), ...found.names] : [];
  const leave = () => { setText(""); setFound(null); input.current.blur(); };
  const open = name => { location.hash = lockHash(name); leave(); };
  const list = () => { location.hash = `#/locks?${new URLSearchParams({ prefix: text })}`; leave(); };
  const onKeyDown = event => {
    if (event.key === "Escape") leave();
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); setAt(Math.max(-1, Math.min(options.length, at + (event.key === "ArrowDown" ? 1 : -1)))); }
  };
  const submit = async event => {
    event.preventDefault();
    if (!text) return;
    if (at === options.length) return list();
    if (at >= 0) return open(options[at]);
    const exact = await ask(lockPath(text));
    if (exact.ok && (exact.body.held || exact.body.waiting > 0)) open(text); else list();
  };
  return html`<form class="search" role="search" onSubmit=${submit} onFocusOut=${event => { if (!event.currentTarget.contains(event.relatedTarget)) setFound(null); }}>
    <${Icon} of="search" /><input ref=${input} type="search" aria-label="Find a lock" placeholder="Find a lock" value=${text} autocomplete="off" spellcheck=${false} role="combobox" aria-expanded=${found != null} aria-controls="found" aria-activedescendant=${at >= 0 ? `found-${at}` : null}
      onInput=${event => setText(event.target.value)} onKeyDown=${onKeyDown} /><kbd aria-hidden="true">/</kbd>
    ${found && html`<ul id="found" role="listbox" aria-label="Locks">${found.refusal && html`<li role="option" aria-disabled="true" aria-selected="false" class="dim">${found.refusal}</li>`}
      ${options.map((name, i) => html`<li id=${`found-${i}`} role="option" aria-selected=${i === at} key=${name} onMouseDown=${event => { event.preventDefault(); open(name); }}>${named(name, 70)}
        ${i === 0 && found.exact && html`<small class="dim">exactly this: ${found.exact.held ? html`held by ${named(found.exact.owner, 30)}` : "free"}</small>`}</li>`)}
      ${!found.refusal && html`<li id=${`found-${options.length}`} role="option" aria-selected=${at === options.length} class="all" onMouseDown=${event => { event.preventDefault(); list(); }}>All that begin with “${named(text, 40)}”</li>`}</ul>`}</form>`;
}

const liveWords = { live: "live", connecting: "live", polling: "live", missing: "polling", off: "polling", forbidden: "polling", full: "polling", shared: "polling", paused: "paused" };

/** Whether what is on the screen is true now: a dot, a word, and the age of the data. */
function Live() {
  const { trouble, lastGood, live, paused, replica, me } = useApp();
  const now = useTick(500);
  const age = lastGood == null ? null : performance.now() - lastGood;
  const kind = paused ? "paused" : trouble || age > 15000 ? "stale" : age == null ? "waiting" : "live";
  const words = paused ? "paused" : trouble ? "stale" : age == null ? "asking" : liveWords[live] ?? "live";
  const id = me?.replica ?? replica;
  return html`<span class=${`live ${kind}`} title=${`Data from ${age == null ? "–" : ago(age)}${id ? `, replica ${id}` : ""}. ${live === "live" ? "Events come as they happen." : ""}`}><i class="dot" aria-hidden="true"></i><b>${words}</b> <span class="num age">${age == null ? "" : wholeSpan(age)}</span></span>
    <span class="redis-time num" title="The time of Redis, in UTC" data-redis-now=${now == null ? "" : Math.round(now)}>${now == null ? "––:––:––" : clockTime(now, now)} <small>UTC</small></span>`;
}

/** What stands between this page and its data. */
function Trouble() {
  const { trouble, lastGood, keyDemanded, redis } = useApp();
  useTick();
  const seen = lastGood == null ? "" : ` What you see is ${wholeSpan(performance.now() - lastGood)} old.`;
  const grace = redis && redis.graceLeftMs - (performance.now() - redis.at);
  const recovering = !trouble && grace > 0 && html`<${Notice} kind="warn" title="Recovering.">Redis may have lost data. New grants wait for another ${wholeSpan(grace)}, until leases that may be lost have ended.</>`;
  if (!trouble || keyDemanded) return recovering || null;
  const { code, status, message } = trouble;
  const title = code === "overloaded" ? "This replica is overloaded." : code === "quota_exceeded" ? "Your key asks too often." : status === 0 ? "This replica does not answer." : code === "redis_unavailable" || code === "redis_refused" || code === "outcome_unknown" ? "Redis is away." : "The replica can't tell.";
  return html`<${Notice} kind="bad" title=${title}>${message} ${seen} The page goes on asking.</>`;
}

function KeyForm() {
  const { keyRefused } = useApp();
  const [text, setText] = useState("");
  const [isAsking, setAsking] = useState(false);
  const submit = async event => {
    event.preventDefault();
    if (!text.trim()) return;
    setAsking(true);
    app.key = text.trim();
    const me = await ask("api/v1/me");
    // A replica without this operation says with the list whether the key is good.
    const answer = me.isMissing ? await ask("api/v1/locks?limit=1") : me;
    setAsking(false);
    if (answer.status === 401) app.key = "";
    else { app.keyDemanded = false; app.me = me.ok ? me.body : app.me; setText(""); wake(); }
    changed();
  };
  return html`<section class="panel key-form"><h1>This Gorilla asks for an API key</h1>
    <form onSubmit=${submit}><label>API key <input type="password" name="key" autocomplete="off" spellcheck=${false} value=${text} autofocus onInput=${event => setText(event.target.value)} /></label><button type="submit" class="primary" disabled=${isAsking}>${isAsking ? "Asking…" : "Use it in this tab"}</button></form>
    ${keyRefused && html`<${Notice} kind="bad" title="The key was refused.">${keyRefused}</>`}
    <p class="dim">The key stays in the memory of this tab, and goes nowhere but to this replica. Closing or reloading the tab forgets it.</p></section>`;
}

function Help({ onClose }) {
  const [on, setOn] = useState(keysAreOn);
  const rows = [["/", "find a lock"], ["g o · g l · g c · g e", "overview, locks, contention, events"], ["j · k", "next and previous lock of the list"], ["Enter", "open the chosen lock"], ["b", "break the lock that is open: asks first"], ["c", "copy the chosen lock as curl"], ["p", "pause, and go on"], ["Esc", "close"], ["?", "this help"]];
  return html`<${Modal} label="Keys" onClose=${onClose}><h2>Keys</h2><dl class="keys">${rows.map(([keys, what]) => html`<div><dt>${keys.split(" · ").map((key, i) => html`${i ? " " : ""}<kbd>${key}</kbd>`)}</dt><dd>${what}</dd></div>`)}</dl>
    <label class="check"><input type="checkbox" checked=${on} onChange=${event => { keysAreOn = event.target.checked; kept.set("keys", keysAreOn ? "on" : "off"); setOn(keysAreOn); }} /> Keys do something</label>
    <p class="dim">Times are those of Redis, in UTC. This page is ${app.pageVersion}${app.health ? `, the replica that answered ${app.health.version}` : ""}. <a href="docs">The HTTP interface</a></p>
    <p class="buttons"><button type="button" onClick=${onClose}>Close</button></p></>`;
}

function App() {
  const { view, name, query } = useRoute();
  const { key, keyDemanded, paused, trouble, toast, lastGood } = useApp();
  const [help, setHelp] = useState(false);
  const pause = () => { app.paused = !app.paused; changed(); say(app.paused ? "Paused" : "Going on"); if (!app.paused) wake(); };
  useKeys({ "?": () => setHelp(true), p: pause, Escape: () => { document.activeElement?.blur(); return false; } }, []);
  const me = usePoll("api/v1/me", 30000), health = usePoll("_health", 30000), redis = usePoll("api/v1/redis", 10000);
  useEffect(() => { Object.assign(app, { me: me.data ?? null, health: health.data ?? null, redis: redis.data ? { ...redis.data, at: redis.at } : null }); changed(); }, [me.data, health.data, redis.data]);
  const nextTheme = { auto: "dark", dark: "light", light: "auto" }[theme];
  const isStale = trouble && lastGood != null && !keyDemanded;
  const main = keyDemanded ? html`<${KeyForm} />` : { overview: () => html`<${Overview} />`, locks: () => html`<${LocksView} query=${query} />`, lock: () => html`<${LockView} key=${name} name=${name} />`,
    contention: () => html`<${ContentionView} query=${query} />`, events: () => html`<${EventsView} query=${query} />`, lost: () => html`<section class="panel empty"><p class="big">There is no such view.</p><p><a class="button" href="#/">To the overview</a></p></section>` }[view]();
  return html`<a class="skip" href="#main" onClick=${event => { event.preventDefault(); document.getElementById("main").focus(); }}>To the content</a>
    <header class="top"><a class="brand" href="#/" aria-label="Gorilla, overview"><svg viewBox="0 0 32 32" aria-hidden="true"><path d="M10 15v-4a6 6 0 0 1 12 0v4" /><rect x="7" y="14" width="18" height="12" rx="4" /><circle cx="13" cy="20" r="1.8" /><circle cx="19" cy="20" r="1.8" /></svg>Gorilla</a>
      <nav aria-label="Views">${Object.entries(views).map(([id, [words, href]]) => html`<a href=${href} aria-current=${id === view || (id === "locks" && view === "lock") ? "page" : null}>${words}</a>`)}</nav>
      <${Search} /><div class="status"><${Live} />
        <button type="button" class="quiet" aria-pressed=${paused} aria-label=${paused ? "Go on" : "Pause"} title=${paused ? "Go on (p)" : "Pause (p)"} onClick=${pause}><${Icon} of=${paused ? "play" : "pause"} /></button>
        <button type="button" class="quiet" aria-label=${`Theme: ${theme}. Change to ${nextTheme}`} title=${`Theme: ${theme}`} onClick=${() => setTheme(nextTheme)}><${Icon} of="theme" /></button>
        ${key && html`<button type="button" class="quiet" title="Forget the API key" onClick=${() => { app.key = ""; app.me = null; app.keyDemanded = true; changed(); }}>key</button>`}
        <button type="button" class="quiet" aria-label="Keys and help" title="Help (?)" onClick=${() => setHelp(true)}>?</button></div></header>
    <main id="main" tabindex="-1" class=${isStale ? "stale" : ""}><${Trouble} />${main}</main>
    <div id="voice" class="unseen" aria-live="polite" role="status"></div>
    ${toast && html`<div class="toast"><b>${toast.words}</b>${toast.code && html`<code data-copied>${toast.code}</code>`}</div>`}
    ${help && html`<${Help} onClose=${() => setHelp(false)} />`}`;
}

render(html`<${App} />`, document.getElementById("page"));
