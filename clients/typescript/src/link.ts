/** Signals that follow others. */

/** A signal that is aborted with the first of others, as long as it is not ended. */
export interface Linked {
  readonly signal: AbortSignal;
  /** Lets go of the others, which may live for long. */
  end(): void;
}

export function link(...sources: readonly (AbortSignal | undefined)[]): Linked {
  const controller = new AbortController();
  const ends = sources.map((source) => {
    if (!source) return undefined;
    const follow = () => controller.abort(source.reason);
    if (source.aborted) follow();
    source.addEventListener("abort", follow);
    return () => source.removeEventListener("abort", follow);
  });
  return {
    signal: controller.signal,
    end() {
      for (const end of ends) end?.();
    },
  };
}
