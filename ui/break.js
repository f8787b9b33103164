// Breaking a lock: never one keystroke, never another grant than the one on the screen, never a claim that nobody knows.

/** How many digits of the fence a person types. They prove that this grant was seen, and work for any name of a lock. */
const DIGITS = 6;

function BreakDialog({ name, tenure, state, next, onClose }) {
  const [digits, setDigits] = useState("");
  const [reason, setReason] = useState("");
  const [grace, setGrace] = useState("0");
  const [step, setStep] = useState({ is: "typing" });
  // The same for all attempts of this dialog, so that a break whose answer was lost happens once.
  const once = useRef(newKey());
  // An attempt got no answer that tells what became of it. What a later one is refused says nothing of that attempt.
  const inDoubt = useRef(false);
  const gone = useRef(false);
  useEffect(() => () => { gone.current = true; }, []);
  const wanted = String(tenure.fence).slice(-DIGITS);
  const isShared = state?.mode === "shared";
  const standing = !state ? tenure : isShared ? state.holders.find(holder => holder.fence === tenure.fence) : state.held && state.fence === tenure.fence ? state : null;
  const isArmed = standing && step.is === "typing" && digits === wanted;

  const send = async (attempt = 0) => {
    setStep({ is: "sending", attempt });
    const json = { fence: tenure.fence, ...(reason.trim() && { reason: reason.trim() }), ...(grace !== "0" && { grace: Number(grace) }) };
    const answer = await ask(`${lockPath(name)}/break`, { method: "POST", json, once: once.current });
    if (gone.current) return;
    const { status, code, body } = answer;
    if (answer.ok) { setStep({ is: "broken", body }); say(`Broken: ${name}`); wake(); }
    else if (code === "fence_changed") { setStep({ is: "changed", body }); wake(); }
    else if (code === "lock_not_found") { setStep({ is: "free" }); wake(); }
    else if (inDoubt.current || status === 0 || status === 504 || (status >= 500 && body?.outcome !== "not_executed")) {
      const latest = inDoubt.current ? "The latest attempt was told: " : "";
      inDoubt.current = true;
      setStep({ is: "unknown", attempt, message: answer.message && latest + answer.message });
      if (attempt < 2) setTimeout(() => { if (!gone.current) send(attempt + 1); }, 1500 * (attempt + 1));
    } else setStep({ is: "refused", message: answer.message || `Status ${status}.` });
  };
  const submit = event => { event.preventDefault(); if (isArmed) send(); };
  const owner = named(tenure.owner);
  const newHolder = step.body?.fence && step.body.fence !== tenure.fence ? step.body : state?.held && !isShared && state.fence !== tenure.fence ? state : null;

  let inside;
  if (step.is === "broken") {
    inside = html`<${Notice} kind="good" title="Broken.">${step.body.ttlMs > 0
      ? html`The lock ends in ${span(step.body.ttlMs)} at the latest. Until then ${owner} can't renew it.`
      : html`The grant of ${owner} with fence ${num(tenure.fence)} has ended. ${next ? html`Next: ${named(next.owner)}.` : "Nobody waited."}`}</>
      <p>${owner} goes on until it notices. Only a fence check stops its writes.</p>`;
  } else if (step.is === "free") {
    inside = html`<${Notice} title="It is already free.">The grant that you saw ended by itself. Nothing was broken.</>`;
  } else if (step.is === "changed" || (!standing && step.is === "typing")) {
    inside = html`<${Notice} kind="warn" title="It changed hands while you typed.">${newHolder
      ? html`${named(newHolder.owner)} holds it now${newHolder.createdAt ? html`, since <${At} at=${newHolder.createdAt} />` : ""}, with fence ${num(newHolder.fence)}.`
      : state?.held === false ? "Nobody holds it now." : "The grant that you saw has ended."} Nothing was broken.</>`;
  } else if (step.is === "unknown") {
    inside = html`<${Notice} kind="warn" title="Nobody knows yet whether it was broken.">${step.message || "No answer came."} ${step.attempt < 2 ? "Asking again with the same key…" : "Asking again is safe: the key is the same, so it happens once."}</>
      ${step.attempt >= 2 && html`<p class="buttons"><button type="button" class="danger" onClick=${() => send(2)}>Ask again</button></p>`}`;
  } else if (step.is === "refused") {
    inside = html`<${Notice} kind="bad" title="Refused. Nothing was broken.">${step.message}</>`;
  } else {
    inside = html`<form onSubmit=${submit}>
      <ul class="consequences">
        <li><strong>This does not stop ${owner}.</strong> Only a fence check stops its writes.</li>
        <li>${next ? html`Next: ${named(next.owner)}, ${grace === "0" ? "at once" : "when the grace is over"}.` : "Nobody waits for it."}</li>
        <li>The log of the replica keeps who broke it, and why.</li>
      </ul>
      ${!isShared && html`<label>When <select value=${grace} onChange=${event => setGrace(event.target.value)}>
        <option value="0">at once</option><option value="15">in 15 s: the holder can come to an end</option><option value="60">in 60 s: the holder can come to an end</option></select></label>`}
      <label>Reason <input value=${reason} maxlength="200" placeholder="worker lost its disk" autocomplete="off" onInput=${event => setReason(event.target.value)} /></label>
      <label>Last ${DIGITS} digits of its fence <span class="num fence">${String(tenure.fence).slice(0, -DIGITS)}<b>${wanted}</b></span>
        <input class="num" data-digits inputmode="numeric" maxlength=${DIGITS} autocomplete="off" value=${digits} onInput=${event => setDigits(event.target.value.replace(/\D/g, ""))} /></label>
      <p class="buttons"><button type="button" onClick=${onClose}>Keep it</button>
        <button type="submit" class="danger" disabled=${!isArmed}>${step.is === "sending" ? "Breaking…" : "Break this grant"}</button></p></form>`;
  }
  return html`<${Modal} label="Break the lock" kind="break" onClose=${onClose}>
    <h2>Break ${named(name, 80)}</h2>
    <p class="dim">held by ${owner}, granted <${Ago} at=${tenure.createdAt} /></p>
    ${inside}${!["typing", "sending"].includes(step.is) || !standing ? html`<p class="buttons"><button type="button" onClick=${onClose}>Close</button></p>` : null}</>`;
}
