// The list of held locks. However many there are, the page draws only the rows that are on the screen.

const sorts = { waiting: "most waiters", age: "held longest", left: "least left", name: "name" };
const text = (a, b) => a.resource < b.resource ? -1 : a.resource > b.resource ? 1 : 0;
const orders = {
  waiting: (a, b) => b.waiting - a.waiting || text(a, b),
  age: (a, b) => a.createdMs - b.createdMs || text(a, b),
  left: (a, b) => a.expireMs - b.expireMs || text(a, b),
  name: text,
};
const PAGE = 500;

/** The rows that the page has, and their order on the screen, which changes only when nobody points at it. */
class Rows {
  rows = new Map();
  order = [];
  cursor = null;
  total = null;
  countedAt = null;
  progress = 1;
  seen = null;
  isDirty = false;
  changes = new Set();
  constructor(sort) { this.compare = orders[sort]; }
  put(state) {
    const was = this.rows.get(state.resource);
    if (!was?.held) this.changes.add(state.resource);
    const row = Object.assign(was ?? {}, { group: null, breaking: false }, state);
    row.group = state.mode === "shared" ? state : null;
    row.createdMs = time(row.createdAt);
    row.expireMs = time(row.expireAt);
    this.rows.set(state.resource, row);
    this.isDirty = true;
  }
  /** The replica says that nobody holds it. */
  end(name) {
    const row = this.rows.get(name);
    if (!row?.held) { this.rows.delete(name); return; }
    row.held = false;
    this.changes.add(name);
    this.isDirty = true;
  }
  /** What an event changes. Says whether only the replica can tell the rest. */
  apply(event) {
    const row = this.rows.get(event.resource);
    if (event.mode === "shared" || row?.group) return true;
    if (event.type === "granted") {
      const waiting = Math.max(0, (row?.waiting ?? 0) - (event.waitedMs == null ? 0 : 1));
      const { resource, owner, fence, id, at, expireAt, metadata = [] } = event;
      this.put({ resource, held: true, owner, fence, id, metadata, createdAt: at, updatedAt: at, expireAt, waiting, renewals: 0 });
    } else if (!row) {
      return false;
    } else if (event.type === "extended" && row.fence === event.fence) {
      Object.assign(row, { updatedAt: event.at, expireAt: event.expireAt, expireMs: time(event.expireAt), renewals: row.renewals == null ? null : row.renewals + 1 });
      this.isDirty = true;
    } else if (["released", "expired", "broken", "undone"].includes(event.type) && row.fence === event.fence) {
      row.held = false;
      this.changes.add(event.resource);
      this.isDirty = true;
    } else if (event.type === "queued" || event.type === "left") {
      row.waiting = event.type === "queued" ? event.waiting : Math.max(0, row.waiting - 1);
      this.isDirty = true;
    }
    return false;
  }
  /** Puts the rows in order, and leaves those out that have ended. Who waits for such a lock is about to be granted it. */
  settle() {
    for (const [name, row] of this.rows) if (!row.held && !row.waiting) this.rows.delete(name);
    this.order = [...this.rows.values()].filter(row => row.held).sort(this.compare);
    this.changes.clear();
    this.isDirty = false;
  }
}

/** Loads, follows and orders the locks that match. */
function useLocks({ prefix, owner, sort }, hold) {
  const [, draw] = useState(0);
  const [problem, setProblem] = useState(null);
  const filter = params({ prefix, owner });
  const wanted = `${filter}|${sort}`;
  const box = useRef({ wanted: null, rows: null });
  const isNew = box.current.wanted !== wanted;
  if (isNew) box.current = { wanted, rows: new Rows(sort), canSort: true, busy: false };
  const { rows } = box.current;
  const { key, paused, live } = useApp();
  const place = box.current;

  const load = async (cursor, size = PAGE) => {
    const answer = await ask(`api/v1/locks?${params({ prefix, owner, cursor, ...(place.canSort ? { limit: size, sort } : { limit: 1000 }) })}`);
    if (answer.isMissing && place.canSort) { place.canSort = false; return load(null); }
    if (box.current !== place) return null;
    if (!answer.ok) { setProblem(answer); return null; }
    setProblem(null);
    return answer.body;
  };
  /** From the beginning, as far as the page has looked already. */
  const refresh = async () => {
    if (place.busy) return;
    place.busy = true;
    const wasThere = new Set(rows.rows.keys()), loaded = rows.rows.size;
    let cursor = null, got = 0;
    do {
      const page = await load(cursor, Math.min(1000, Math.max(PAGE, loaded)));
      if (!page) { place.busy = false; return; }
      for (const lock of page.locks) { rows.put(lock); wasThere.delete(lock.resource); }
      got += page.locks.length;
      ({ cursor } = page);
      Object.assign(rows, { cursor, total: page.total ?? null, countedAt: page.countedAt ?? null, progress: page.progress ?? 1, seen: performance.now() });
    } while (cursor && (got < Math.min(loaded, 2000) || (!place.canSort && got < 3000)));
    // What is behind the part that was looked at may still be held.
    if (!cursor) for (const name of wasThere) rows.end(name);
    place.busy = false;
    if (!rows.order.length) rows.settle();
    draw(n => n + 1);
  };
  const more = async () => {
    if (place.busy || !rows.cursor) return;
    place.busy = true;
    const page = await load(rows.cursor);
    place.busy = false;
    if (!page) return;
    for (const lock of page.locks) rows.put(lock);
    rows.cursor = page.cursor;
    rows.settle();
    draw(n => n + 1);
  };
  useEffect(() => {
    const again = () => { if (!document.hidden) refresh(); };
    again();
    if (paused) return;
    const timer = setInterval(again, live === "live" ? 15000 : 3000);
    wakers.add(again);
    return () => { clearInterval(timer); wakers.delete(again); };
  }, [wanted, key, paused, live === "live"]);
  useEffect(() => {
    // Events may come by hundreds in a second; the screen follows twice in a second.
    const timer = setInterval(() => {
      if (!rows.isDirty || document.hidden) return;
      if (!hold.current && !app.paused) rows.settle();
      draw(n => n + 1);
    }, 500);
    return () => clearInterval(timer);
  }, [wanted]);
  const looking = useRef(new Set());
  useStream(filter, (type, body) => {
    if (type === "missed") { refresh(); return; }
    if (!(type in eventWords) || !rows.apply(body) || looking.current.has(body.resource)) return;
    // What holders share, only the replica can tell. One look at a time for each lock.
    looking.current.add(body.resource);
    setTimeout(async () => {
      looking.current.delete(body.resource);
      const answer = await ask(lockPath(body.resource));
      if (!answer.ok || box.current !== place) return;
      if (answer.body.held) rows.put(answer.body);
      else rows.end(body.resource);
    }, 300);
  });
  const show = () => { rows.settle(); draw(n => n + 1); };
  return { rows, problem, more, show, canSort: place.canSort };
}

function Field({ label, value, onSet, ...more }) {
  const [text, setText] = useState(value);
  const timer = useRef();
  useEffect(() => setText(value), [value]);
  const typed = event => {
    const { value } = event.target;
    setText(value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onSet(value), 300);
  };
  return html`<label>${label} <input type="search" value=${text} autocomplete="off" spellcheck=${false} onInput=${typed} ...${more} /></label>`;
}

function LocksView({ query }) {
  const prefix = query.get("prefix") ?? "", owner = query.get("owner") ?? "";
  const sort = query.get("sort") in sorts ? query.get("sort") : "waiting";
  const hold = useRef(false);
  const { rows, problem, more, show, canSort } = useLocks({ prefix, owner, sort }, hold);
  const { paused } = useApp();
  const [selected, setSelected] = useState(-1);
  useTitle("Locks");
  useEffect(() => setSelected(-1), [prefix, owner, sort]);
  const set = change => setQuery("#/locks", query, change);
  const { order } = rows;
  const body = useRef();
  const [view, setView] = useState({ from: 0, to: 60, height: 45 });
  useLayoutEffect(() => {
    const place = () => {
      const table = body.current;
      if (!table) return;
      const height = table.querySelector("tr[data-row]")?.getBoundingClientRect().height || 45;
      const top = Math.max(0, -table.getBoundingClientRect().top);
      const from = Math.max(0, Math.floor(top / height) - 15), to = Math.ceil((top + innerHeight) / height) + 15;
      setView(old => old.from === from && old.to === to && Math.abs(old.height - height) < 0.5 ? old : { from, to, height });
      if (to > order.length - 30) more();
    };
    place();
    addEventListener("scroll", place, { passive: true });
    addEventListener("resize", place);
    return () => { removeEventListener("scroll", place); removeEventListener("resize", place); };
  }, [order.length, rows.cursor]);
  const chosen = useRef(-1);
  chosen.current = selected;
  const go = step => {
    // Two keys may come before the page is drawn anew.
    const next = chosen.current = Math.max(0, Math.min(order.length - 1, chosen.current + step));
    setSelected(next);
    const top = body.current.getBoundingClientRect().top + scrollY + next * view.height;
    if (top < scrollY + 160 || top > scrollY + innerHeight - 120) scrollTo({ top: top - innerHeight / 2 });
  };
  useKeys({ j: () => order.length && go(1), k: () => order.length && go(-1), Enter: () => order[selected] && (location.hash = lockHash(order[selected].resource)),
    c: () => order[selected] && copyText(commands.curl(order[selected].resource), "curl") }, [selected, order]);
  const slice = order.slice(view.from, view.to);
  const total = rows.total ?? (rows.cursor ? null : order.length);
  const isEmpty = rows.seen != null && !order.length && rows.progress >= 1;
  return html`<header class="view-head"><h1>Locks</h1>
      <p class="dim" data-total=${total ?? ""}>${rows.seen == null ? "" : html`${total == null ? `at least ${count(order.length)} held` : `${count(total)} held`}${rows.progress < 1 ? `, counted ${Math.floor(rows.progress * 100)} % so far` : rows.countedAt ? html`, counted <${Ago} at=${rows.countedAt} />` : ""}`}</p>
      ${rows.changes.size > 0 && order.length > 0 && (paused || hold.current) && html`<button type="button" class="changes" onClick=${show}>${plural(rows.changes.size, "change")}: show</button>`}</header>
    <${Filters}><${Field} label="prefix" value=${prefix} onSet=${value => set({ prefix: value })} />
      <${Field} label="owner" value=${owner} onSet=${value => set({ owner: value })} />
      <label>sort <select value=${sort} onChange=${event => set({ sort: event.target.value })}>${Object.entries(sorts).map(([key, words]) => html`<option value=${key}>${words}</option>`)}</select></label></>
    ${!canSort && html`<${Notice} title="Versions differ.">This replica can't sort its list; the page sorts the locks that it has loaded.</>`}
    <${Problem} problem=${problem} of="the list of locks" />
    ${isEmpty && !problem && (prefix || owner ? html`<${NoMatch} prefix=${prefix} owner=${owner} onClear=${() => { location.hash = "#/locks"; }} />` : html`<${NoLocks} />`)}
    ${rows.seen == null && !problem && html`<p class="loading">Asking…</p>`}
    ${order.length > 0 && html`<section class="panel flush" ...${pointing(hold)}>
      <${Table} class="locks" caption="Held locks" total=${total ?? -1} cols=${lockColumns} body=${html`
        <tr role="presentation" ref=${node => { body.current = node?.parentNode; }} class="spacer" aria-hidden="true" style=${{ height: `${view.from * view.height}px` }}></tr>
        ${slice.map((row, i) => html`<${Row} key=${row.resource} row=${row} index=${view.from + i} isSelected=${view.from + i === selected} />`)}
        <tr role="presentation" class="spacer" aria-hidden="true" style=${{ height: `${Math.max(0, order.length - view.to) * view.height}px` }}></tr>`} /></section>
      ${rows.cursor && html`<p class="dim more"><button type="button" onClick=${more}>Load more</button> ${count(order.length)}${total ? ` of ${count(total)}` : ""} are here.</p>`}`}`;
}

const lockColumns = [
  ["Name", row => linked(row.resource, 250), "c-name"],
  ["Holder", ({ group, owner }) => html`${group && html`<${Share} of=${group} /> `}${named(owner, 60)}${group?.holderCount > 1 ? html` <span class="dim">+${group.holderCount - 1}</span>` : ""}`, "c-owner"],
  ["Held for", row => html`<${Ago} at=${row.createdAt} bare />`, "c-since"],
  ["Lease left", row => row.held ? html`<${Left} tenure=${row} />` : html`<span class="dim">ended</span>`, "c-left"],
  ["Waiting", ({ waiting }) => html`<span class=${waiting ? "waits" : "dim"}>${count(waiting)}</span>`, `c-wait ${RIGHT}`],
  ["Fence", row => row.fence, `c-fence dim ${RIGHT}`],
];
/** How much of a lock is taken that several may hold. */
const Share = ({ of }) => html`<span class="tag">${of.limit != null ? `${count(of.used)} of ${count(of.limit)}` : plural(of.holderCount, "reader")}</span>`;

/** Drawn anew only if it has changed: while somebody scrolls, most rows have not. */
const Row = ({ row, index, isSelected }) => useMemo(() => html`<tr role="row" data-row aria-rowindex=${index + 2} class=${`${isSelected ? "selected" : ""} ${row.held ? "" : "ended"}`}
  onClick=${event => { if (!event.target.closest("a,button") && !getSelection().toString()) location.hash = lockHash(row.resource); }}>${cells(lockColumns, row)}</tr>`,
  [index, isSelected, row, row.held, row.owner, row.fence, row.createdAt, row.updatedAt, row.expireAt, row.waiting, row.group]);

function NoLocks() {
  const line = `curl -s -X POST ${base()}api/v1/locks/orders ${app.key ? `-H "Authorization: Bearer $GORILLA_API_KEY" ` : ""}-H 'Content-Type: application/json' -d '{"owner":"me","timeout":60}'`;
  return html`<section class="panel empty"><p class="big">Nobody holds a lock.</p><p>To see one here, take one:</p>
    <pre tabindex="0"><code>${line}</code></pre><button type="button" onClick=${() => copyText(line, "the command")}>Copy</button></section>`;
}

/** A prefix that matches nothing may still be the whole name of a lock that somebody waits for, or that was held before. */
const NoMatch = ({ prefix, owner, onClear }) => html`<section class="panel empty"><p class="big">No lock matches.</p>
  <p>Nobody holds a lock ${prefix && html`whose name begins with <b>${named(prefix)}</b>`}${prefix && owner ? " and " : ""}${owner && html`that belongs to <b>${named(owner)}</b>`}.</p>
  <p class="buttons">${prefix && html`<a class="button" href=${lockHash(prefix)}>Look at the lock with exactly this name</a>`}<button type="button" onClick=${onClear}>Show all</button></p></section>`;
