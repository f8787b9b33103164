// Small parts that several views have.

const named = (text, short) => html`<${Name} text=${text} short=${short} />`;
const linked = (name, short = 60) => html`<a href=${lockHash(name)}>${named(name, short)}</a>`;
const num = text => html`<span class="num">${text}</span>`;

/** A part of a view, with its heading. */
const Panel = ({ id, title, kind = "", children }) => html`<section class=${`panel ${kind}`} aria-labelledby=${`${id}-title`}><h2 id=${`${id}-title`}>${title}</h2>${children}</section>`;
const Filters = ({ children }) => html`<form class="filters" onSubmit=${event => event.preventDefault()}>${children}</form>`;
const requestsWait = n => `${plural(n, "request")} ${n === 1 ? "waits" : "wait"}`;
/** Names the window. */
const useTitle = text => useEffect(() => { document.title = text ? `${text} · Gorilla` : "Gorilla"; }, [text]);
/** Tells a ref whether somebody points at an element, or has the focus in it. */
const pointing = ref => {
  const to = value => () => { ref.current = value; };
  return { onMouseEnter: to(true), onMouseLeave: to(false), onFocusIn: to(true), onFocusOut: to(false) };
};

/** What is left of a lease, as a bar and in words. Runs on Redis's time. */
function Left({ tenure, wide }) {
  const now = useTick(wide ? 100 : 500);
  const left = now == null ? null : time(tenure.expireAt) - now;
  const lease = time(tenure.expireAt) - time(tenure.updatedAt);
  const share = left == null ? 0 : Math.max(0, Math.min(1, left / Math.max(lease, 1)));
  const words = left == null ? "–" : left <= 0 ? "ended" : left < 9950 ? `${(left / 1000).toFixed(1)} s` : wholeSpan(left);
  return html`<span class=${`left ${wide ? "wide" : ""} ${share < 0.25 ? "low" : ""}`}>
    <span class="bar" aria-hidden="true"><i style=${{ transform: `scaleX(${share.toFixed(3)})` }}></i></span><span class="num">${words}</span></span>`;
}

/** How long ago something was, by Redis's time. */
function Ago({ at, bare }) {
  const now = useTick();
  if (at == null || now == null) return "–";
  const ms = Math.max(0, now - time(at));
  return html`<time class="num" datetime=${at} title=${`${clockTime(time(at))} UTC`}>${bare ? wholeSpan(ms) : ago(ms)}</time>`;
}
const At = ({ at }) => html`<time class="num" datetime=${at}>${clockTime(time(at), clock.now())}</time>`;

/** A length of time that grows by itself since an answer came. */
function Waited({ ms, since }) {
  useTick();
  return html`<span class="num">${wholeSpan(ms + (performance.now() - since))}</span>`;
}

/** A few points over time, without axes: the number beside it says what counts. */
function Spark({ points, label }) {
  const known = points.filter(point => point != null);
  if (known.length < 2) return html`<svg class="spark" viewBox="0 0 100 28" aria-hidden="true"></svg>`;
  const top = Math.max(...known, 1e-9), step = 100 / (points.length - 1);
  const at = points.map((point, i) => point == null ? null : `${(i * step).toFixed(1)},${(26 - 23 * point / top).toFixed(1)}`);
  const line = at.filter(Boolean).join(" ");
  return html`<svg class="spark" viewBox="0 0 100 28" preserveAspectRatio="none" role="img" aria-label=${label}>
    <polygon points=${`${line.split(",")[0]},28 ${line} 100,28`} /><polyline points=${line} vector-effect="non-scaling-stroke" /></svg>`;
}

const icons = {
  alive: "M8 2 15 14H1Z", stopped: "M2.5 2.5h11v11h-11Z", unsure: "M8 1 15 8 8 15 1 8Z", free: "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13Z",
  pause: "M3.5 2h3v12h-3zM9.5 2h3v12h-3z", play: "M4 2 14 8 4 14Z", cycle: "M8 1.5a6.5 6.5 0 1 0 6.5 6.5h-2.6A3.9 3.9 0 1 1 8 4.1v2.6l5-3.9-5-3.9Z",
  theme: "M8 1a7 7 0 1 0 0 14Z M8 1a7 7 0 0 1 0 14v-1.6a5.4 5.4 0 0 0 0-10.8Z",
  search: "M6.8 1.2a5.6 5.6 0 1 0 3.3 10.1l3.6 3.6 1.2-1.2-3.6-3.6A5.6 5.6 0 0 0 6.8 1.2Zm0 1.7a3.9 3.9 0 1 1 0 7.8 3.9 3.9 0 0 1 0-7.8Z",
};
const Icon = ({ of }) => html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d=${icons[of]} /></svg>`;

/** Something that a person should know about what is on the screen. */
const Notice = ({ kind = "", title, children }) => html`<div class=${`notice ${kind}`} role=${kind === "bad" ? "alert" : null}>
  ${title && html`<strong>${title}</strong>`} <span>${children}</span></div>`;

/** Why a part of the page has no data, if it hasn't. */
function Problem({ problem, of }) {
  if (!problem) return null;
  if (problem.isMissing) return html`<${Notice} title="Versions differ.">This replica does not tell ${of}: it has another version than this page${app.health && app.health.version !== app.pageVersion ? ` (page ${app.pageVersion}, replica ${app.health.version})` : ""}. The rest of the page works.</>`;
  if (problem.status === 403) return html`<${Notice} title="Your key may not see this.">${problem.message || `It has no right to see ${of}.`}</>`;
  if (problem.status === 401 || problem.status === 0 || problem.status >= 500 || problem.status === 429) return null; // the head of the page says so
  return html`<${Notice} kind="bad" title=${`The replica refuses to tell ${of}.`}>${problem.message || `Status ${problem.status}.`}</>`;
}

/** A polite voice for people who listen to the page: at most one message in 5 s. */
const voice = { last: -Infinity, next: null, timer: null };
function say(text) {
  voice.next = text;
  if (voice.timer) return;
  voice.timer = setTimeout(() => {
    voice.timer = null;
    voice.last = performance.now();
    const region = document.getElementById("voice");
    if (region) region.textContent = voice.next;
  }, Math.max(50, voice.last + 5000 - performance.now()));
}

function toast(words, code) {
  clearTimeout(app.toast?.timer);
  app.toast = { words, code, timer: setTimeout(() => { app.toast = null; changed(); }, 6000) };
  changed();
}

/** A window above the page. The browser keeps the focus in it and gives it back. */
function Modal({ label, onClose, children, kind }) {
  const dialog = useRef();
  useLayoutEffect(() => {
    const { current } = dialog;
    current.showModal();
    return () => current.close();
  }, []);
  return html`<dialog ref=${dialog} class=${kind} aria-label=${label} onCancel=${event => { event.preventDefault(); onClose(); }}
    onClick=${event => { if (event.target === dialog.current) onClose(); }}><div class="inside">${children}</div></dialog>`;
}

/** A table that becomes cards on a phone. A column is `[label, cell of an item, class]`; the roles keep it a table for screen readers. */
function Table({ caption, class: name = "", cols, of, id, whole, body, total }) {
  const columns = cols.filter(Boolean);
  return html`<table role="table" class=${`cards ${name}`} aria-rowcount=${total}><caption class="unseen">${caption}</caption>
    <thead role="rowgroup"><tr role="row">${columns.map(([label, , kind]) => html`<th role="columnheader" scope="col" class=${kind}>${label}</th>`)}</tr></thead>
    <tbody role="rowgroup">${body ?? of.map(item => whole?.(item) ?? html`<tr role="row" key=${id(item)}>${cells(columns, item)}</tr>`)}</tbody></table>`;
}
const cells = (columns, item) => columns.map(([label, cell, kind]) => html`<td role="cell" class=${kind} data-label=${label}>${cell(item)}</td>`);
const RIGHT = "right num";
