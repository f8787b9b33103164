// One lock: who holds it, may I break it, who waits, what has happened.

/** Watches one lock: its state, its queue, its events newest first, and when its grants were renewed. */
function useLock(name) {
  const [again, setAgain] = useState(0);
  const { live } = useApp();
  const isLive = live === "live";
  const state = usePoll(lockPath(name), isLive ? 5000 : 1500, { again });
  const queue = usePoll(`${lockPath(name)}/queue?limit=50`, isLive ? 5000 : 2500, { again });
  const oldQueue = usePoll(queue.problem?.status === 400 ? `${lockPath(name)}/queue` : null, 2500, { again });
  const history = usePoll(`${lockPath(name)}/events?limit=200`, isLive ? 60000 : 5000);
  const [fresh, setFresh] = useState({ name, events: [] });
  const watched = useRef(new Map());
  const timer = useRef();
  useStream(`resource=${encodeURIComponent(name)}&snapshot=1`, (type, body) => {
    if (type === "missed") wake();
    if (!(type in eventWords) || type === "leader" || type === "vacant") return;
    setFresh(old => ({ name, events: [body, ...(old.name === name ? old.events : [])].slice(0, 500) }));
    // Several events often come together; one look is enough for all.
    timer.current ??= setTimeout(() => { timer.current = null; setAgain(n => n + 1); }, 120);
  });
  useEffect(() => () => clearTimeout(timer.current), []);
  const tenures = state.data?.holders ?? (state.data?.held ? [state.data] : []);
  for (const tenure of tenures) {
    if (!watched.current.has(tenure.id)) watched.current.set(tenure.id, new Set());
    watched.current.get(tenure.id).add(time(tenure.updatedAt));
  }
  const events = useMemo(() => {
    const known = new Set(), all = [];
    for (const event of [...(fresh.name === name ? fresh.events : []), ...(history.data?.events ?? [])]) {
      const id = event.cursor ?? `${event.type}${event.at}${event.fence}`;
      if (!known.has(id)) { known.add(id); all.push(event); }
    }
    return all.sort((a, b) => time(b.at) - time(a.at));
  }, [fresh, history.data, name]);
  return { state, queue: oldQueue.data ? oldQueue : queue, history, events, watched: id => watched.current.get(id) };
}

function LockView({ name }) {
  const lock = useLock(name);
  const { state: { data, problem }, queue, history, events } = lock;
  const [breaking, setBreaking] = useState(null);
  const now = useTick();
  useApp();
  useKeys({ b: () => data?.held && data.mode !== "shared" && allows("break", name) !== false && setBreaking(data) }, [data?.fence, name]);
  useEffect(() => { document.title = `${name}${data ? data.held ? " · held" : " · free" : ""} · Gorilla`; }, [name, data?.held]);
  useEffect(() => { if (data) say(data.held ? `${name} is held by ${data.owner}` : `${name} is free`); }, [data?.held, data?.fence]);
  const heading = html`<header class="lock-head"><p class="eyebrow"><a href="#/locks">Locks</a></p><h1>${named(name)}</h1><${Copy} name=${name} /></header>`;
  if (!data) return html`${heading}${problem?.status === 400 ? html`<${Notice} kind="bad" title="This can't be the name of a lock.">${problem.message}</>`
    : problem ? html`<${Problem} problem=${problem} of="this lock" />` : html`<p class="loading">Asking…</p>`}`;
  const next = queue.data?.queue?.[0];
  const isShared = data.mode === "shared";
  return html`${heading}
    ${!data.held && html`<section class="panel free"><p class="big"><${Icon} of="free" /> Free</p>
      <p class="dim">${data.waiting ? `${plural(data.waiting, "request")} ${data.waiting === 1 ? "waits" : "wait"}; the first is about to take it.` : "Nobody holds it, and nobody waits for it."}</p></section>`}
    ${data.held && !isShared && html`<${Holder} ...${{ name, lock, now, tenure: data, state: data, onBreak: setBreaking }} />`}
    ${isShared && html`<${Group} ...${{ name, lock, now, state: data, onBreak: setBreaking }} />`}
    <div class="columns">
      <${QueuePanel} queue=${queue} state=${data} />
      <section class="panel" aria-labelledby="strip-title"><h2 id="strip-title">Grants</h2>
        ${history.problem && !events.length ? html`<${Problem} problem=${history.problem} of="the history of a lock" />` : html`<${Strip} events=${events} state=${data} />`}</section>
    </div>
    <section class="panel" aria-labelledby="events-title"><h2 id="events-title">Events <small class="dim">${app.me?.features?.events === "off" ? "switched off in this deployment" : history.data?.recordedSince ? html`recorded since <${At} at=${history.data.recordedSince} />` : "recorded while somebody listens"}</small></h2>
      ${history.problem && !events.length ? html`<${Problem} problem=${history.problem} of="the events of a lock" />` : html`<${EventTable} events=${events.slice(0, 60)} without="resource" none="Nothing has happened since events are recorded." />`}</section>
    ${breaking && html`<${BreakDialog} name=${name} tenure=${breaking} state=${data} next=${next} onClose=${() => setBreaking(null)} />`}`;
}

/** The break button, or why there is none. */
function BreakButton({ name, tenure, onBreak, small }) {
  if (allows("break", name) === false) return html`<span class="dim no-right">${small ? "no right to break" : `Your key${app.me.identity ? ` “${app.me.identity.name}”` : ""} has no right to break it.`}</span>`;
  return html`<button type="button" class=${`danger ${small ? "small" : ""}`} onClick=${() => onBreak(tenure)}>Break…</button>`;
}

function Holder({ name, lock, now, tenure, state, onBreak }) {
  const { kind, title, why } = verdictOf(tenure, renewalsOf(tenure, lock.events, lock.watched(tenure.id)), now);
  const left = time(tenure.expireAt) - now;
  return html`<section class="panel holder" aria-label="Holder">
    <div class="who"><p class="eyebrow">Held by</p><p class="big">${named(tenure.owner)}</p>
      ${tenure.by && html`<p class="dim">taken by the API key ${named(tenure.by)}</p>`}
      <p class="dim">since <${At} at=${tenure.createdAt} /> UTC · <${Ago} at=${tenure.createdAt} bare /></p></div>
    <div class="lease"><p class="eyebrow">Lease left</p><${Left} tenure=${tenure} wide />
      <p class="dim">${state.breaking ? "Somebody breaks it: its holder can't renew it any more." : html`of ${span(time(tenure.expireAt) - time(tenure.updatedAt))}, ${tenure.updatedAt === tenure.createdAt ? "never renewed" : html`renewed <${Ago} at=${tenure.updatedAt} />`}`}</p></div>
    <div class=${`answer ${kind}`}><h2>May I break it?</h2>
      <p class="verdict-line"><${Icon} of=${kind} /><strong>${title}</strong> <span>${why}</span></p>
      <p>${advice(kind, left)} ${state.waiting ? html`<b>${plural(state.waiting, "request")}</b> ${state.waiting === 1 ? "waits" : "wait"} for it.` : "Nobody waits for it."} It ends by itself at <span class="num">${clockTime(time(tenure.expireAt), now)}</span> unless renewed.</p>
      <div class="act"><${BreakButton} ...${{ name, tenure, onBreak }} /></div></div>
    <dl class="facts"><div><dt>fence</dt><dd class="num">${tenure.fence}</dd></div><div><dt>id</dt><dd class="num">${tenure.id}</dd></div>
      ${tenure.metadata?.length > 0 && html`<div><dt>metadata</dt><dd><code><${Name} text=${JSON.stringify(tenure.metadata)} /></code></dd></div>`}</dl></section>`;
}

/** The holders that share a lock: readers, or a semaphore with its permits. */
function Group({ name, lock, now, state, onBreak }) {
  const hasLimit = state.limit != null;
  return html`<section class="panel group" aria-labelledby="group-title"><div class="group-head"><div><p class="eyebrow">${hasLimit ? "Semaphore" : "Shared, without a limit"}</p>
      <h2 id="group-title" class="big">${hasLimit ? html`<span class="num">${count(state.used)} of ${count(state.limit)}</span> permits` : html`<span class="num">${count(state.used)}</span> ${state.used === 1 ? "reader" : "readers"}`}</h2>
      <p class="dim">${plural(state.holderCount, "holder")} · ${state.waiting ? `${plural(state.waiting, "request")} ${state.waiting === 1 ? "waits" : "wait"}` : "nobody waits"}</p></div>
      ${hasLimit && html`<span class="bar permits" role="img" aria-label=${`${state.used} of ${state.limit} permits are taken`}><i style=${{ width: `${Math.min(100, 100 * state.used / state.limit)}%` }}></i></span>`}</div>
    <h2>May I break one?</h2>
    <${Table} caption="Holders" of=${state.holders.map(tenure => ({ tenure, verdict: verdictOf(tenure, renewalsOf(tenure, lock.events, lock.watched(tenure.id)), now) }))} id=${({ tenure }) => tenure.id} cols=${[
      ["Holder", ({ tenure }) => html`${named(tenure.owner)}${tenure.by && html`<br /><small class="dim">API key ${named(tenure.by)}</small>`}`], ["Since", ({ tenure }) => html`<${Ago} at=${tenure.createdAt} />`], ["Lease left", ({ tenure }) => html`<${Left} tenure=${tenure} />`],
      hasLimit && ["Permits", ({ tenure }) => tenure.permits, RIGHT], ["Is it alive?", ({ verdict }) => html`<${Verdict} kind=${verdict.kind} /><br /><small class="dim">${verdict.why}</small>`],
      ["Fence", ({ tenure }) => tenure.fence, "num"], ["Break", ({ tenure }) => html`<${BreakButton} ...${{ name, tenure, onBreak }} small />`, "right"]]} />
    ${state.holderCount > state.holders.length && html`<p class="dim">${count(state.holderCount - state.holders.length)} more holders, which end before these.</p>`}</section>`;
}

function QueuePanel({ queue: { data, problem, at }, state }) {
  const replicas = data?.queue?.some(waiter => waiter.replica != null);
  const modes = data?.queue?.some(waiter => waiter.mode === "shared");
  return html`<section class="panel" aria-labelledby="queue-title"><h2 id="queue-title">Queue <small class="num">${count(data?.waiting ?? state.waiting)}</small></h2>
    <${Problem} problem=${problem?.status === 400 ? null : problem} of="the queue" />
    ${data && data.queue.length === 0 && html`<p class="dim">Nobody waits.</p>`}
    ${data?.queue.length > 0 && html`<${Table} class="tight" caption="Requests that wait" of=${data.queue.slice(0, 50)} id=${waiter => waiter.id ?? waiter.position} cols=${[
        ["#", waiter => waiter.position, "num"], ["Owner", waiter => named(waiter.owner)], ["Waits for", waiter => html`<${Waited} ms=${waiter.waitedMs} since=${at} />`],
        modes && ["Wants", waiter => waiter.mode === "shared" ? waiter.permits > 1 ? plural(waiter.permits, "permit") : "a share" : "all of it"], replicas && ["At replica", waiter => waiter.replica?.slice(0, 8), "num"]]} />
      ${data.waiting > Math.min(50, data.queue.length) && html`<p class="dim">The first ${Math.min(50, data.queue.length)} of ${count(data.waiting)}.</p>`}`}</section>`;
}
