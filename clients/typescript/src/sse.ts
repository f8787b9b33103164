/** Reads server-sent events, as the HTML standard defines them. */

/** A message of the server. */
export interface Message {
  readonly type: string;
  readonly data: string;
}

/** Splits a text that comes in pieces into messages. */
export class Messages {
  #rest = "";
  #type = "";
  #data: string[] = [];

  /** The messages that a piece completes. */
  *feed(piece: string): Generator<Message> {
    const lines = (this.#rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const message = this.#line(line);
      if (message) yield message;
    }
  }

  #line(line: string): Message | undefined {
    if (line === "") {
      const message = { type: this.#type || "message", data: this.#data.join("\n") };
      const isEmpty = this.#data.length === 0;
      [this.#type, this.#data] = ["", []];
      return isEmpty ? undefined : message;
    }
    const [, field, value] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === "event") this.#type = value ?? "";
    if (field === "data") this.#data.push(value ?? "");
    return undefined;
  }
}
