// The last grants of a lock on a line of time, with the length of its queue below.

/** The grants in a history (newest first), oldest first: `{owner, fence, from, to, end}`. `to` is null while one stands. */
function grantsOf(events, state) {
  const grants = new Map();
  const grant = event => {
    if (!grants.has(event.fence)) grants.set(event.fence, { owner: event.owner, fence: event.fence, from: null, to: null, end: null, renewals: 0 });
    return grants.get(event.fence);
  };
  for (const event of [...events].reverse()) {
    if (event.fence == null) continue;
    if (event.type === "granted") grant(event).from = time(event.at);
    else if (event.type === "extended") grant(event).renewals++;
    else if (["released", "expired", "broken", "undone"].includes(event.type)) {
      const ended = grant(event);
      ended.to = time(event.expiredAt ?? event.at);
      ended.end = event.type;
      if (ended.from == null && event.heldMs != null) ended.from = ended.to - event.heldMs;
    }
  }
  for (const tenure of state?.holders ?? (state?.held ? [state] : [])) Object.assign(grant(tenure), { from: time(tenure.createdAt), to: null, end: null });
  return [...grants.values()].sort((a, b) => (a.from ?? a.to) - (b.from ?? b.to));
}

/** The length of the queue over time, from events (newest first), as steps `[at, waiting]`. */
function queueSteps(events, waiting) {
  const steps = [];
  let length = waiting;
  for (const event of events) {
    if (event.type === "queued") { steps.push([time(event.at), event.waiting]); length = Math.max(0, event.waiting - 1); }
    else if (event.type === "left") { steps.push([time(event.at), length]); length++; }
    else if (event.type === "granted" && event.waitedMs != null) { steps.push([time(event.at), length]); length++; }
  }
  return steps.reverse();
}

function Strip({ events, state }) {
  const now = useTick();
  const grants = grantsOf(events, state).slice(-12);
  if (!grants.length || now == null) return html`<p class="dim">No grant was recorded yet.</p>`;
  const begin = Math.min(...grants.map(grant => grant.from ?? grant.to)), length = Math.max(now - begin, 1000);
  const x = at => Math.max(0, Math.min(100, 100 * (at - begin) / length));
  const steps = queueSteps(events, state?.waiting ?? 0).filter(([at]) => at >= begin);
  const top = Math.max(1, state?.waiting ?? 0, ...steps.map(([, n]) => n));
  const y = n => 23 - 21 * n / top;
  let points = "", last = steps.length ? Math.max(0, steps[0][1] - 1) : state?.waiting ?? 0;
  points += `0,${y(Math.min(last, top))}`;
  for (const [at, n] of steps) { points += ` ${x(at).toFixed(2)},${y(Math.min(last, top))} ${x(at).toFixed(2)},${y(n)}`; last = n; }
  points += ` 100,${y(Math.min(last, top))}`;
  return html`<div class="strip"><div class="grants" aria-hidden="true">${grants.map(grant => {
      const from = grant.from ?? grant.to, to = grant.to ?? now;
      return html`<div key=${grant.fence} class=${`grant ${grant.end ?? "standing"}`} style=${{ left: `${x(from)}%`, width: `${Math.max(0.6, x(to) - x(from))}%` }}
        title=${`${grant.owner}: ${grant.end ?? "holds it"}, ${span(to - from)}`}><span>${grant.owner}</span><i>${{ released: "✓", expired: "✕", broken: "⚡", undone: "↺" }[grant.end] ?? "▶"}</i></div>`;
    })}</div>
    <svg class="queue-line" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true"><polygon points=${`0,24 ${points} 100,24`} /><polyline points=${points} vector-effect="non-scaling-stroke" /></svg>
    <div class="axis dim" aria-hidden="true"><span>${clockTime(begin, now)}</span><span>queue, at most ${top}</span><span>now</span></div>
    <details><summary>The same as a table</summary><${Table} caption="The last grants" of=${[...grants].reverse()} id=${grant => grant.fence} cols=${[
      ["Owner", grant => named(grant.owner)], ["Granted", grant => clockTime(grant.from, now), "num"], ["Ended", grant => grant.end ? `${grant.end} ${clockTime(grant.to, now)}` : "holds it"],
      ["Held for", grant => span((grant.to ?? now) - (grant.from ?? grant.to)), "num"], ["Renewed", grant => plural(grant.renewals, "time")]]} /></details></div>`;
}
