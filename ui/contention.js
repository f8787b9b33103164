// Which locks are waited for, and who waits for whom.

function ContentionView({ query }) {
  const range = query.get("range") in ranges ? query.get("range") : "15m";
  const { data, problem, at } = usePoll(`api/v1/contention?range=${range}`, 3000);
  useStream(null, () => {});
  // Only for the time of Redis, which an answer about contention does not tell.
  usePoll("api/v1/replicas", 30000);
  useTitle("Contention");
  return html`<header class="view-head"><h1>Contention</h1><p class="dim">${data ? data.complete ? "who waited for what, and who waits for whom now" : "the most contended part; more was left out" : ""}</p></header>
    <${Filters}><label>range <select value=${range} onChange=${event => setQuery("#/contention", query, { range: event.target.value })}>${Object.entries(ranges).map(([key, words]) => html`<option value=${key}>the last ${words}</option>`)}</select></label></>
    <${Problem} problem=${problem} of="who waits for what" />
    ${!data && !problem && html`<p class="loading">Asking…</p>`}
    ${data?.cycles.length > 0 && html`<${Panel} kind="cycles" id="cycle" title=${html`<${Icon} of="cycle" />Possible ${data.cycles.length === 1 ? "cycle" : "cycles"}`}>
      ${data.cycles.map(cycle => html`<div class="cycle"><p>${cycle.waits.map((wait, i) => html`${i ? ", " : ""}<b>${named(wait.owner, 40)}</b> waits for ${linked(wait.resource)} (${named(wait.holder, 40)})`)}.</p>
        <p class="dim">Resolves at <span class="num">${clockTime(time(cycle.resolvesAt), clock.now())}</span>, when the lease of ${linked(cycle.resource)} ends, unless ${named(cycle.unless, 40)} renews it. Owners are labels, so a cycle is possible, not certain.</p></div>`)}</>`}
    ${data && html`<${Panel} id="blocking" title="Blocking">
      ${data.blocking.length ? html`<ul class="tree">${data.blocking.map(root => html`<li><span class="node"><b>${named(root.owner, 60)}</b> holds ${names(root.holds)} <span class="dim">and waits for nothing; ${plural(root.blocks, "wait")} below</span></span><${Waiters} of=${root.waiters} at=${at} /></li>`)}</ul>`
        : html`<p class="calm"><${Icon} of="free" /> Nobody waits for anybody.</p>`}</>
      <${Panel} kind="flush" id="contended" title="Locks that were waited for">
      ${data.resources.length ? html`<${Table} class="tight contended" caption="Contended locks" of=${data.resources} id=${each => each.resource} cols=${[
        ["Lock", each => linked(each.resource)], ["Holder", each => each.owner == null ? html`<span class="dim">nobody</span>` : html`${named(each.owner, 40)}${each.holderCount > 1 ? html` <span class="dim">+${each.holderCount - 1}</span>` : ""}`],
        ["Waiting", each => html`<span class=${each.waiting ? "waits" : "dim"}>${count(each.waiting)}</span>`, RIGHT], ["Waits", each => count(each.waits), RIGHT], ["Waited, all", each => span(each.waitedMs), RIGHT], ["Wait p99", each => span(each.waitP99Ms), RIGHT],
        ["Handovers", each => `${rate(each.handoversPerMinute)} /min`, RIGHT], ["Hold p50 / p99", each => `${span(each.holdP50Ms)} / ${span(each.holdP99Ms)}`, RIGHT], ["Longest queue", each => count(each.longestQueue), RIGHT]]} />`
        : html`<p class="dim inset">Nobody has waited in this time.</p>`}</>`}`;
}

const names = list => list.map((name, i) => html`${i ? ", " : ""}${linked(name)}`);
const Waiters = ({ of, at }) => of.length ? html`<ul>${of.map(each => html`<li><span class="node"><b>${named(each.owner, 60)}</b> waits <${Waited} ms=${each.waitedMs} since=${at} /> for ${linked(each.resource)} <span class="dim">(place ${each.position})</span>${each.holds.length ? html`, holds ${names(each.holds)}` : ""}</span><${Waiters} of=${each.waiters} at=${at} /></li>`)}</ul>` : null;
