// What to paste elsewhere: commands that hit exactly this lock, whatever its name is.

function copyText(text, words) {
  const done = () => { toast(`Copied ${words}`, text); say(`Copied ${words}`); };
  // Over plain HTTP from another machine the browser has no clipboard for pages, but still copies what is selected.
  const byHand = () => {
    const area = document.createElement("textarea");
    area.value = text;
    area.setAttribute("readonly", "");
    area.className = "unseen";
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (copied) done(); else toast("Select and copy:", text);
  };
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, byHand); else byHand();
}

const base = () => new URL(".", location.href).href;
const commands = {
  curl: name => `curl -s ${app.key || app.me?.keysDemanded ? `-H "Authorization: Bearer $GORILLA_API_KEY" ` : ""}${shellWord(base() + lockPath(name))}`,
  gorilla: name => `gorilla status --url ${shellWord(base().replace(/\/$/, ""))} -- ${shellWord(name)}`,
  // Not all fields: the lock has its token in it.
  "redis-cli": name => {
    const key = `${app.me?.keyPrefix ?? "gorilla"}:{${name.replace(/[%{}]/g, c => ({ "%": "%25", "{": "%7B", "}": "%7D" })[c])}}:lock`;
    return `redis-cli HMGET ${shellWord(key)} owner fence created updated metadata mode used limit`;
  },
  link: name => base() + lockHash(name),
};

const Copy = ({ name }) => html`<span class="copy" role="group" aria-label="Copy">
  ${Object.entries(commands).map(([what, make]) => html`<button type="button" class="quiet" data-copy=${what} onClick=${() => copyText(make(name), what)}>${what}</button>`)}</span>`;
