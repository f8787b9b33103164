// "May I break it?": what the renewals of a holder say about whether the holder is alive.

/** When a grant was renewed, as far as anybody has seen it: by its events and by what this page has watched. */
function renewalsOf(tenure, events, watched = []) {
  // The replica counts them, except of shared locks. An older replica doesn't.
  const own = (events ?? []).filter(event => event.id === tenure.id);
  const at = new Set(own.filter(event => event.type === "extended").map(event => time(event.at)));
  const created = time(tenure.createdAt), last = time(tenure.updatedAt);
  const counted = tenure.renewals === 0 && last > created ? null : tenure.renewals;
  for (const seen of watched) if (seen > created) at.add(seen);
  if (last > created) at.add(last);
  const times = [...at].sort((a, b) => a - b);
  // The times of events and of the lock may differ by a millisecond.
  const apart = times.filter((t, i) => i === 0 || t - times[i - 1] > 2);
  const isWhole = own.some(event => event.type === "granted");
  const steps = (isWhole ? [created, ...apart] : apart).map((t, i, all) => i ? t - all[i - 1] : null).slice(1).sort((a, b) => a - b);
  const usual = steps.length > 2 || !counted ? steps[steps.length >> 1] ?? null : (last - created) / counted;
  return counted == null ? { last: apart.at(-1) ?? null, count: apart.length, isWhole, usual } : { last: counted ? last : null, count: counted, isWhole: true, usual };
}

/** The verdict about one holder: `{kind, title, why}`. */
function verdictOf(tenure, renewals, now) {
  const lease = time(tenure.expireAt) - time(tenure.updatedAt);
  const held = now - time(tenure.createdAt);
  const { last, count: times, usual, isWhole } = renewals;
  if (last == null) {
    return { kind: "unsure", title: "Can't tell.", why: `It has never renewed its lease of ${span(lease)} since it was granted ${ago(held)}, so nothing shows whether it lives.` };
  }
  const since = now - last;
  const often = usual ? `, every ${span(usual)}` : "";
  const much = times > 1 ? `, ${isWhole ? "" : "at least "}${plural(times, "time")}` : isWhole ? ", once" : "";
  const limit = usual ? Math.max(2 * usual, 1000) : lease / 2;
  return since <= limit
    ? { kind: "alive", title: "Looks alive.", why: `Renewed ${ago(since)}${often}${much}.` }
    : { kind: "stopped", title: "Renewals stopped.", why: `Last renewed ${ago(since)}${usual ? `; it used to renew${often.slice(1)}` : `, which is more than half of its lease of ${span(lease)}`}${much}.` };
}

const verdictWords = { alive: "looks alive", stopped: "renewals stopped", unsure: "can't tell" };
const Verdict = ({ kind }) => html`<span class=${`verdict ${kind}`}><${Icon} of=${kind} />${verdictWords[kind]}</span>`;

/** What to do, given the verdict and how soon the lease ends by itself. */
function advice(kind, left) {
  if (left != null && left < 30000 && kind !== "alive") return "Waiting costs less than a break: without a renewal it is free in seconds.";
  return { alive: "Rather not. Ask its owner first.", stopped: "Probably. Its process seems to be gone or stuck; look at it if you can.",
    unsure: "Look at its process first: a break does not stop it." }[kind];
}
