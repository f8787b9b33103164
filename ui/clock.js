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
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) draw(n => n + 1); }, ms);
    return () => clearInterval(timer);
  }, [ms]);
  return clock.now();
}

// performance.now() may stand still while the machine sleeps. The wall clock is good for this alone: noticing a jump.
let lastWall = Date.now(), lastSteady = performance.now();
setInterval(() => {
  const jump = Math.abs((Date.now() - lastWall) - (performance.now() - lastSteady));
  [lastWall, lastSteady] = [Date.now(), performance.now()];
  if (jump > 2000) { clock.forget(); wake(); }
}, 1000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) { clock.forget(); wake(); } });
