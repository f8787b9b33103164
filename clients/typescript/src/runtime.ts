/** What the runtimes (Node.js, Deno, Bun) tell beyond the web platform. Without it the library still works. */

interface Os {
  hostname(): string;
  uptime(): number;
}

/** The part of Deno that is asked, so that no call prompts the user for a permission. */
interface Deno {
  permissions: { querySync(descriptor: { name: string; kind?: string; variable?: string }): { state: string } };
  unrefTimer(timer: number): void;
}

const deno = (globalThis as { Deno?: Deno }).Deno;

function allowed(descriptor: { name: string; kind?: string; variable?: string }): boolean {
  return !deno || deno.permissions.querySync(descriptor).state === "granted";
}

function builtin(name: string): unknown {
  return globalThis.process?.getBuiltinModule?.(name);
}

const os = builtin("node:os") as Os | undefined;

/** A variable of the environment; undefined if it is not set, empty, or not to be read. */
export function environment(variable: string): string | undefined {
  if (!allowed({ name: "env", variable })) return undefined;
  return globalThis.process?.env?.[variable] || undefined;
}

/** Milliseconds since the start of the machine, suspensions included, or undefined where nothing tells. */
export function uptime(): (() => number) | undefined {
  if (!os || !allowed({ name: "sys", kind: "osUptime" })) return undefined;
  try {
    os.uptime();
  } catch {
    return undefined;
  }
  return () => os.uptime() * 1000;
}

/** The name of the machine and the id of the process. */
export function defaultOwner(): string {
  const host = os && allowed({ name: "sys", kind: "hostname" }) ? os.hostname() : "unknown";
  return `${host}:${globalThis.process?.pid ?? 0}`;
}

/** Lets the process end although the timer is set. */
export function unref(timer: unknown): void {
  if (typeof timer === "number") deno?.unrefTimer(timer);
  else (timer as { unref?(): void }).unref?.();
}
