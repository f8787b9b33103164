// The live tail of events, and how an event reads.

function eventDetail(event) {
  const parts = [];
  if (event.type === "granted") {
    if (event.waitedMs != null) parts.push(`waited ${span(event.waitedMs)}`);
    parts.push(`lease ${span(time(event.expireAt) - time(event.at))}`);
    if (event.permits) parts.push(plural(event.permits, "permit"));
  }
  if (event.type === "extended") parts.push(`until ${clockTime(time(event.expireAt), clock.now())}`);
  if (event.heldMs != null) parts.push(`held for ${span(event.heldMs)}`);
  if (event.type === "broken") parts.push(event.by ? `by ${event.by}` : "by somebody without a key", ...(event.reason ? [`“${event.reason}”`] : []));
  if (event.type === "queued") parts.push(`place ${event.position} of ${event.waiting}`);
  if (event.type === "left" && event.waitedMs != null) parts.push(`after ${span(event.waitedMs)}`);
  if (event.cause) parts.push({ timeout: "its wait was over", hung_up: "its client hung up", replica_lost: "its replica was lost", superseded: "a copy took its place",
    unknown_outcome: "its outcome was unknown", not_replicated: "too few replicas of Redis confirmed it" }[event.cause] ?? event.cause);
  return parts.join(" · ");
}
const marks = { granted: "▶", extended: "↻", released: "✓", expired: "✕", broken: "⚡", undone: "↺", queued: "+", left: "−", missed: "…", begins: "●" };

function EventTable({ events, without, none }) {
  if (!events.length) return html`<p class="dim">${none}</p>`;
  return html`<${Table} class="events tight" caption="Events, newest first" of=${events} id=${event => event.cursor ?? event.at + event.fence + event.type}
    whole=${event => event.words && html`<tr role="row" class=${`gap ${event.type}`} key=${event.cursor}><td role="cell" colspan="6"><span class="mark" aria-hidden="true">${marks[event.type]}</span> ${event.words}</td></tr>`}
    cols=${[["Time (UTC)", event => html`<${At} at=${event.at} />`], ["What", event => html`<span class=${`event ${event.type}`}><span class="mark" aria-hidden="true">${marks[event.type]}</span>${eventWords[event.type]}</span>`],
      without !== "resource" && ["Lock", event => linked(event.resource)], ["Owner", event => named(event.owner, 40)], ["Detail", event => html`<bdi>${eventDetail(event)}</bdi>`, "dim"], ["Fence", event => event.fence, "num dim"]]} />`;
}
const missedWords = { trimmed: "Redis no longer keeps them.", restarted: "Redis lost them: it was restarted without its data, or flushed.", failover: "another server took over from the master.",
  slow: "this page, or its replica, could not keep up.", not_recorded: "nobody listened, so nothing was recorded." };
let rulers = 0;
/** A line between events. */
const ruler = (type, words) => ({ type, words, at: new Date(clock.now()).toISOString(), cursor: `${type} ${rulers++}` });
const gap = ({ reason }) => ruler("missed", `Events are missing here: ${missedWords[reason] ?? reason}`);
const endings = "released,expired,broken,undone";

function EventsView({ query }) {
  const prefix = query.get("prefix") ?? "", owner = query.get("owner") ?? "", types = query.get("types") ?? "";
  const [events, setEvents] = useState([]);
  const [held, setHeld] = useState(0);
  const recent = params({ prefix, owner, types, recent: 200 });
  const { live, paused, me } = useApp();
  // In a Cluster an event may come twice.
  const waiting = useRef([]), looks = useRef(false), seen = useRef(new Set());
  useTitle("Events");
  useEffect(() => { waiting.current = []; seen.current.clear(); setEvents([]); setHeld(0); }, [recent]);
  const take = body => {
    if (seen.current.has(body.cursor)) return;
    if (body.cursor) seen.current.add(body.cursor);
    if (seen.current.size > 5000) seen.current = new Set([body.cursor]);
    waiting.current.unshift(body);
    waiting.current.length = Math.min(waiting.current.length, 1000);
  };
  useStream(recent, (type, body) => {
    if (type === "missed") take(gap(body));
    else if (type in eventWords) take(body);
    // What is recorded from before came first.
    else if (type === "synced" && seen.current.size) take(ruler("begins", `Live since ${clockTime(clock.now(), clock.now())}. Below is what happened before.`));
  });
  // A tab without a stream of its own asks again and again for what happened last.
  const polled = usePoll(live === "shared" ? `api/v1/events?${recent}` : null, 3000);
  useEffect(() => polled.data?.events.forEach(take), [polled.data]);
  const flush = () => {
    const fresh = waiting.current;
    waiting.current = [];
    if (fresh.length) setEvents(old => [...fresh, ...old].slice(0, 1000));
    setHeld(0);
  };
  // Four times a second is enough to read, and nothing moves under a pointer.
  useEffect(() => { const timer = setInterval(() => looks.current ? setHeld(waiting.current.length) : waiting.current.length && flush(), 250); return () => clearInterval(timer); }, []);
  const shown = events.slice(0, 200);
  return html`<header class="view-head"><h1>Events</h1><p class="dim">${paused ? "Paused." : live === "live" ? "As they happen, newest first." : ""}</p></header>
    <${Filters}><${Field} label="prefix" value=${prefix} onSet=${value => setQuery("#/events", query, { prefix: value })} />
      <${Field} label="owner" value=${owner} onSet=${value => setQuery("#/events", query, { owner: value })} />
      <label>types <select value=${types} onChange=${event => setQuery("#/events", query, { types: event.target.value })}><option value="">all</option><option value=${`granted,${endings}`}>grants and ends</option><option value="queued,left">the queue</option><option value="broken">broken</option><option value="expired">expired</option></select></label>
      ${held > 0 && html`<button type="button" onClick=${flush}>${plural(held, "new event")}: show</button>`}</>
    <${StreamNotice} />
    <section class="panel" ...${pointing(looks)}>
      <${EventTable} events=${shown} none=${live === "live" ? "Listening. Nothing has happened yet." : me?.features?.events === "off" ? "Nothing to show." : "Waiting for the stream."} /></section>`;
}

/** Why there is no stream of events, if there is none. */
function StreamNotice() {
  const { live, me } = useApp();
  if (live === "missing") return html`<${Notice} title="Versions differ.">This replica has no stream of events: it is older than this page. The page asks again and again instead.</>`;
  if (live === "off" || me?.features?.events === "off") return html`<${Notice} title="Events are off.">This deployment records no events (<code>events.record = "off"</code>). The page asks again and again instead.</>`;
  if (live === "forbidden") return html`<${Notice} title="Your key may not see events here.">It needs the right <code>events</code>. Locks are shown as far as it may look at them.</>`;
  if (live === "full") return html`<${Notice} title="Too many listeners.">This replica has as many listeners as it serves. The page asks again and again instead.</>`;
  if (live === "shared") return html`<${Notice}>Other tabs of this browser follow the events; this one asks again and again instead.</>`;
  return null;
}
