// What all replicas do, and what needs a look.

const ranges = { "5m": "5 minutes", "15m": "15 minutes", "1h": "hour" };

function Tile({ label, value, unit, points, name, href }) {
  const inside = html`<span class="tile-label">${label}</span><span class="tile-value num">${value}${unit && html`<small> ${unit}</small>`}</span><${Spark} points=${points ?? []} label=${`${label} over time`} />`;
  return href ? html`<a class=${`tile ${name}`} href=${href}>${inside}</a>` : html`<div class=${`tile ${name}`}>${inside}</div>`;
}

const rate = n => n == null ? "–" : n >= 100 ? count(Math.round(n)) : n >= 10 ? n.toFixed(0) : n === 0 ? "0" : n.toFixed(1);

function Overview() {
  const { me } = useApp();
  const stats = usePoll("api/v1/stats?range=15m", 2500);
  const replicas = usePoll("api/v1/replicas", 5000);
  const redis = usePoll("api/v1/redis", 5000);
  useStream(null, () => {});
  useTitle("");
  const { data } = stats, series = data?.series;
  const period = data?.latest;
  return html`<header class="view-head"><h1>Overview</h1><p class="dim">${data ? `the last 15 minutes, ${plural(data.replicas, "replica")}` : ""}</p></header>
    <${Problem} problem=${stats.problem} of=${stats.problem?.status === 403 ? "what the replicas do (it needs metrics on all locks)" : "what all replicas do"} />
    ${data && html`<section class="tiles" aria-label="Figures">
      <${Tile} name="t-held" label="Held" value=${count(data.held?.count)} points=${filled(series.held)} href="#/locks" />
      <${Tile} name="t-waiting" label="Waiting" value=${count(data.waiting)} points=${series.waiting} href="#/contention" />
      <${Tile} name="t-grants" label="Grants" value=${rate(period.grantsPerSecond)} unit="/s" points=${series.grantsPerSecond} />
      <${Tile} name="t-refused" label="Refused" value=${rate(period.refusedPerSecond)} unit="/s" points=${series.refusedPerSecond} />
      <${Tile} name="t-wait" label="Wait p99" value=${span(period.wait.p99Ms)} points=${series.waitP99Ms} />
      <${Tile} name="t-hold" label="Hold p50" value=${span(period.hold.p50Ms)} points=${series.holdP50Ms} /></section>`}
    <${NeedsALook} />
    <div class="columns fleet">
      <${Panel} id="replicas" title="Replicas"><${Problem} problem=${replicas.problem} of="the replicas" />
        ${replicas.data && html`<${ReplicaTable} data=${replicas.data} />`}</>
      <${Panel} id="redis" title="Redis"><${Problem} problem=${redis.problem} of="Redis" />
        ${redis.data && html`<${RedisTable} data=${redis.data} />`}</></div>`;
}

/** Counts come every ten seconds; between them the last one stands. */
function filled(points) {
  let last = null;
  return points.map(point => last = point ?? last);
}

function ReplicaTable({ data }) {
  const versions = new Set(data.replicas.map(replica => replica.version));
  return html`${versions.size > 1 && html`<${Notice} title="Versions differ.">${[...versions].join(" and ")} run side by side, as during an upgrade.</>`}
    <${Table} class="tight" caption="Replicas of Gorilla" of=${data.replicas} id=${replica => replica.id} cols=${[
      ["Id", ({ id }) => html`${num(id.slice(0, 8))}${id === data.answeredBy ? html` <span class="tag">this one</span>` : ""}`], ["Version", replica => replica.version], ["State", ({ state }) => html`<span class=${`state ${state}`}>${state.replace("_", " ")}</span>`],
      ["Waiters", replica => count(replica.waiters), RIGHT], ["Listeners", replica => count(replica.listeners), RIGHT], ["In flight", replica => count(replica.inFlight), RIGHT], ["To Redis", replica => span1(replica.roundTripMs), RIGHT], ["Seen", replica => html`<${Ago} at=${replica.seenAt} />`, "right"]]} />`;
}
const span1 = ms => ms == null ? "–" : ms < 10 ? `${ms.toFixed(1)} ms` : span(ms);
const megabytes = bytes => bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(0)} MB`;

function RedisTable({ data }) {
  return html`${data.nodes.map(({ address, problem, info }) => problem || !info ? html`<${Notice} kind="bad" title=${address ?? "Redis"}>${problem ?? "It told nothing."}</>`
      : html`<dl class="facts redis" key=${address}>
        <div><dt>${data.topology}</dt><dd class="num">${address ?? "socket"}</dd></div>
        <div><dt>${info.server}</dt><dd>${info.version}, ${info.role}, up ${wholeSpan(info.uptimeSeconds * 1000)}</dd></div>
        <div><dt>memory</dt><dd>${megabytes(info.memoryUsedBytes)}${info.memoryLimitBytes ? html` of ${megabytes(info.memoryLimitBytes)}, ${Math.round(info.memoryPercent)} %` : ", no limit"}</dd></div>
        <div><dt>when full</dt><dd class=${info.evictionPolicy === "noeviction" ? "" : "bad-word"}>${info.evictionPolicy}${info.evictionPolicy === "noeviction" ? "" : ": may lose locks"}</dd></div>
        <div><dt>append-only file</dt><dd class=${info.aof && !info.aofOk ? "bad-word" : ""}>${info.aof ? info.aofOk ? "on" : "on, and the last write failed" : "off"}</dd></div>
        <div><dt>replicas</dt><dd>${info.replicas.length ? info.replicas.map(replica => html`<span class="num">${replica.address}</span> ${replica.state}, ${replica.lagSeconds == null ? "" : `heard of ${replica.lagSeconds} s ago, `}${replica.behindBytes ? `${megabytes(replica.behindBytes)} behind` : "up to date"}<br />`) : "none"}</dd></div></dl>`)}
    ${(data.requiredAcks > 0 || data.failoverGraceMs > 0) && html`<p class="dim">${data.requiredAcks > 0 ? `${plural(data.requiredAcks, "replica")} of Redis must confirm each success. ` : ""}${data.failoverGraceMs > 0 ? `After a loss of data new grants wait for ${wholeSpan(data.failoverGraceMs)}.` : ""}</p>`}`;
}

/** The locks that a person should look at first: with the most waiters, and those that nobody renews. */
function NeedsALook() {
  const busy = usePoll("api/v1/locks?sort=waiting&limit=20", 4000);
  const old = usePoll("api/v1/locks?sort=age&limit=50", 8000);
  const plain = usePoll(busy.problem?.isMissing ? "api/v1/locks?limit=1000" : null, 5000);
  const contention = usePoll("api/v1/contention?range=15m", 8000);
  const now = useTick();
  const problem = plain.problem ?? (busy.problem?.isMissing ? null : busy.problem);
  const locks = plain.data?.locks ?? [...(busy.data?.locks ?? []), ...(old.data?.locks ?? [])];
  const oldest = new Map((contention.data?.resources ?? []).map(each => [each.resource, each.oldestWaitMs]));
  const looks = new Map();
  for (const lock of locks) {
    if (!lock.held || looks.has(lock.resource) || now == null) continue;
    const verdict = lock.mode === "shared" ? null : verdictOf(lock, renewalsOf(lock, []), now);
    const held = now - time(lock.createdAt), lease = time(lock.expireAt) - time(lock.updatedAt);
    const isForgotten = verdict?.kind === "unsure" && held > 600000 && lease >= 3600000;
    const score = lock.waiting * 10 + (verdict?.kind === "stopped" ? 50 : 0) + (isForgotten ? 5 : 0);
    if (lock.waiting > 0 || verdict?.kind === "stopped" || isForgotten) looks.set(lock.resource, { lock, verdict, held, lease, score, isForgotten });
  }
  const shown = [...looks.values()].sort((a, b) => b.score - a.score || text(a.lock, b.lock)).slice(0, 8);
  const has = busy.data || plain.data;
  return html`<${Panel} kind="look" id="look" title="Needs a look">
    <${Problem} problem=${problem} of="the list of locks" />
    ${has && !locks.length && html`<${NoLocks} />`}
    ${has && locks.length > 0 && !shown.length && html`<p class="calm"><${Icon} of="free" /> All calm: nobody waits, and every old lease is renewed.</p>`}
    ${shown.length > 0 && html`<ul class="looks">${shown.map(({ lock, verdict, held, lease, isForgotten }) => html`<li key=${lock.resource}>${linked(lock.resource)}
      <span class="look-wait">${lock.waiting ? html`<b class="num waits">${count(lock.waiting)}</b> ${lock.waiting === 1 ? "waits" : "wait"}${oldest.get(lock.resource) ? html`, the first for <span class="num">${wholeSpan(oldest.get(lock.resource))}</span>` : ""}` : ""}</span>
      <span class="look-holder">${lock.mode === "shared" ? html`<${Share} of=${lock} />`
        : html`${named(lock.owner, 40)} ${isForgotten ? html`<span class="dim">held ${wholeSpan(held)}, lease ${wholeSpan(lease)}, never renewed</span>` : ""}`}</span>
      ${verdict ? html`<${Verdict} kind=${verdict.kind} />` : html`<span></span>`}</li>`)}</ul>`}</>`;
}
