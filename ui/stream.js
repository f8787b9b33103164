// The stream of events: server-sent events by fetch, because EventSource can't send a key. A tab that nobody sees has none.
const QUIET = 25000;

/** A browser has six connections to an origin over HTTP/1.1. At most four tabs keep one for a stream; others poll. */
async function withSlot(signal, work) {
  if (!navigator.locks) return work();
  for (const slot of [1, 2, 3, 4]) {
    const done = await navigator.locks.request(`gorilla-stream-${slot}`, { ifAvailable: true }, async lock => {
      if (lock) await work();
      return lock != null;
    });
    if (done || signal.aborted) return;
  }
  return "full";
}

/** Tells messages of the stream with these parameters: `tell(type, data)`. Null opens none. */
function useStream(query, tell) {
  const { key, paused } = useApp();
  const told = useRef(tell);
  told.current = tell;
  const cursor = useRef({ query: null, at: null });
  useEffect(() => {
    if (query == null || paused) { app.live = paused ? "paused" : "polling"; changed(); return; }
    if (cursor.current.query !== query) cursor.current = { query, at: null };
    const place = cursor.current;
    let stopped = false, timer, control = null, failures = 0;
    const state = live => { if (!stopped && app.live !== live) { app.live = live; changed(); } };

    const read = async () => {
      control = new AbortController();
      const { signal } = control;
      let quiet;
      const alive = () => { clearTimeout(quiet); quiet = setTimeout(() => control?.abort(), QUIET); };
      alive();
      const headers = { Accept: "text/event-stream", ...(app.key && { Authorization: `Bearer ${app.key}` }) };
      let again = 2000;
      try {
        const sent = performance.now();
        const response = await fetch(`api/v1/events?${[query, place.at && `since=${encodeURIComponent(place.at)}`].filter(Boolean).join("&")}`, { headers, signal, cache: "no-store" });
        if (response.status !== 200) {
          const refusal = await response.json().catch(() => ({}));
          if (response.status === 401) judge({ status: 401, code: refusal.code, message: refusal.errorMessage }, true);
          state({ 404: "missing", 405: "missing", 400: "missing", 403: "forbidden", 429: "full", 401: "polling" }[response.status] ?? "polling");
          again = response.status < 500 ? 30000 : 3000;
          return again;
        }
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        let text = "", message = {};
        for (;;) {
          const { value, done } = await reader.read();
          if (done) break;
          alive();
          text += value;
          const lines = text.split(/\r\n|\n|\r/);
          text = lines.pop();
          for (const line of lines) {
            if (line) {
              const [, field, rest] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
              if (field === "data") message.data = (message.data ?? "") + rest;
              else if (field) message[field] = rest;
              continue;
            }
            const { event, data, id } = message;
            message = {};
            if (id) place.at = id;
            if (!data) continue;
            const body = JSON.parse(data);
            failures = 0;
            if (event === "hello") {
              clock.learn(time(body.now), sent, performance.now());
              app.replica = body.replica ?? app.replica;
              state(body.recordedSince === null ? "off" : "live");
            }
            app.lastGood = performance.now();
            if (event === "bye" && body.reason === "rights") again = 30000;
            if (event === "bye" && body.reason === "draining") again = 250;
            if (!stopped) told.current(event, body);
          }
        }
      } catch { again = Math.min(15000, 1000 * 2 ** failures++); }
      finally { clearTimeout(quiet); control = null; }
      return again;
    };
    const run = async () => {
      clearTimeout(timer);
      if (stopped || control || document.hidden) return;
      let again = 15000;
      const abort = new AbortController();
      if (await withSlot(abort.signal, async () => { again = await read(); }) === "full") state("shared");
      else if (again <= 15000) state("connecting");
      if (!stopped && !document.hidden) timer = setTimeout(run, again);
    };
    const look = () => { if (document.hidden) { clearTimeout(timer); control?.abort(); } else run(); };
    const leave = () => control?.abort();
    app.live = "connecting";
    run();
    document.addEventListener("visibilitychange", look);
    addEventListener("pagehide", leave);
    addEventListener("pageshow", look);
    return () => {
      stopped = true;
      clearTimeout(timer);
      control?.abort();
      document.removeEventListener("visibilitychange", look);
      removeEventListener("pagehide", leave);
      removeEventListener("pageshow", look);
    };
  }, [query, key, paused]);
}
