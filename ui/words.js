// Words, numbers and names for people. Text of locks becomes text on the screen, never HTML.
const { html, render, useState, useEffect, useLayoutEffect, useRef, useMemo } = htmPreact;

const count = n => n == null ? "–" : Number(n).toLocaleString("en");
const plural = (n, one, many = one + "s") => `${count(n)} ${n === 1 ? one : many}`;

/** A length of time in at most two units: 340 ms, 3.4 s, 21 s, 10m 23s, 2h 10m, 3d 4h. */
function span(ms) {
  if (ms == null || Number.isNaN(ms)) return "–";
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  return wholeSpan(ms);
}

/** The same in whole seconds, for what changes each second. */
function wholeSpan(ms) {
  if (ms == null || Number.isNaN(ms)) return "–";
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${String(s % 60).padStart(2, "0")}s`;
  if (s < 86400) return `${Math.floor(s / 3600)}h ${String(Math.floor(s / 60) % 60).padStart(2, "0")}m`;
  return `${Math.floor(s / 86400)}d ${Math.floor(s / 3600) % 24}h`;
}

/** Parameters of a query: those that have a value. */
const params = given => new URLSearchParams(Object.entries(given).filter(([, value]) => value)).toString();

const ago = ms => ms == null ? "–" : ms < 1000 ? "just now" : `${wholeSpan(ms)} ago`;

const time = text => text == null ? null : Date.parse(text);

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/** A time of day in UTC, with the date if it is not today by Redis's clock. */
function clockTime(ms, now) {
  if (ms == null || Number.isNaN(ms)) return "–";
  const iso = new Date(ms).toISOString();
  return now == null || iso.slice(0, 10) === new Date(now).toISOString().slice(0, 10)
    ? iso.slice(11, 19) : `${Number(iso.slice(8, 10))} ${months[iso.slice(5, 7) - 1]} ${iso.slice(11, 19)}`;
}

/** Characters that a screen would not show, or that turn what stands beside them around. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]|(?! )\p{Zs}/u;
const INVISIBLES = new RegExp(`(${INVISIBLE.source})`, "u");

/** A name or an owner: isolated from the text around it, with what is invisible made visible. */
function Name({ text, short }) {
  const value = String(text ?? "");
  const shown = short && value.length > short ? value.slice(0, short - 1) + "…" : value;
  const parts = INVISIBLE.test(shown) ? shown.split(INVISIBLES) : [shown];
  return html`<bdi class="name" title=${value}>${parts.map(part => INVISIBLE.test(part)
    ? html`<span class="escape">${`U+${part.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`}</span>` : part)}</bdi>`;
}

/** Percent-encodes a name for a path: also the five characters that encodeURIComponent leaves, because a shell acts on some. */
const encoded = name => encodeURIComponent(name).replace(/[!'()*]/g, c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
/** One word of a POSIX shell. */
const shellWord = text => /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

const lockPath = name => `api/v1/locks/${encoded(name)}`;
const lockHash = name => `#/locks/${encoded(name)}`;
const eventWords = { granted: "granted", extended: "renewed", released: "released", expired: "expired", broken: "broken",
  undone: "undone", queued: "queued", left: "left the queue", leader: "leads", vacant: "nobody leads" };
