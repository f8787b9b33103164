// Shows the tests that failed, and how many passed.

export default async function* report(events) {
  let [passed, failed, skipped] = [0, 0, 0];
  for await (const { type, data } of events) {
    if (type === "test:stderr" && !/ExperimentalWarning|--trace-warnings/.test(data.message)) yield data.message;
    if (type === "test:fail") {
      failed++;
      const { error } = data.details;
      yield `FAILED  ${data.file}: ${data.name}\n${error.cause?.stack ?? error.stack ?? error}\n`;
    }
    if (type === "test:pass" && !data.details.type?.includes("suite")) {
      if (data.skip === undefined) passed++;
      else skipped++;
    }
  }
  yield `${passed} passed, ${failed} failed, ${skipped} skipped\n`;
}
