// Redis's time. The browser's clock may be hours wrong, so nothing here reads it: answers tell Redis's time, and
// performance.now() tells how long ago they did.
const clock = {
  offset: null, doubt: Infinity, learned: -Infinity,
  /** Redis's time in ms since 1970, or null before the first answer. */
  now() { return this.offset == null ? null : performance.now() + this.offset; },
  /** An answer that was sent for and received at these times of performance.now() has this time of Redis. */
  learn(redis, sent, received) {
    const doubt = (received - sent) / 2;
    const isOld = received - this.learned > 30000;
    if (!(redis > 0) || (doubt > this.doubt && !isOld)) return;
    Object.assign(this, { offset: redis - (sent + received) / 2, doubt, learned: received });
  },
  learnFrom({ body, sent, received }) {
    const first = body?.locks?.[0] ?? body;
    const told = typeof body?.now === "string" ? time(body.now) : first?.ttlMs > 0 && first.expireAt ? time(first.expireAt) - first.ttlMs : NaN;
    this.learn(told, sent, received);
  },
  forget() { Object.assign(this, { doubt: Infinity, learned: -Infinity }); },
};

/** Draws again each so many ms, so that ages and bars move. Not while nobody looks. */
function useTick(ms = 1000) {
  const [, draw] = useState(0);
  useEffect(() => { ticking[ms].add(draw); return () => ticking[ms].delete(draw); }, [ms]);
  return clock.now();
}
// One timer for all that is drawn as often, so that the browser puts the page in order once for all.
const ticking = { 100: new Set(), 500: new Set(), 1000: new Set() };
for (const [ms, all] of Object.entries(ticking)) setInterval(() => { if (!document.hidden) for (const draw of all) draw(n => n + 1); }, ms);

// performance.now() may stand still while the machine sleeps. The wall clock is good for this alone: noticing a jump.
let lastWall = Date.now(), lastSteady = performance.now();
/** Whether the clocks went apart since the last look. */
const jumped = () => {
  const was = lastWall - lastSteady;
  [lastWall, lastSteady] = [Date.now(), performance.now()];
  return Math.abs(lastWall - lastSteady - was) > 2000;
};
const awake = () => { clock.forget(); wake(); };
setInterval(() => { if (jumped() && !document.hidden) awake(); }, 1000);
// A tab that is seen again after a sleep looks once, not for both reasons.
document.addEventListener("visibilitychange", () => { if (!document.hidden) { jumped(); awake(); } });
