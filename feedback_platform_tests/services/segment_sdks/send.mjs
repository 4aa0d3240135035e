// Makes the calls of a file with @segment/analytics-node, as it comes from npm.
// node send.mjs CALLS HOST WRITE_KEY plain|gzip
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { Analytics } from "@segment/analytics-node";

const [file, host, writeKey, encoding] = process.argv.slice(2);

// The library compresses nothing itself; `httpClient` is its own place for it.
const compressed = (url, request) =>
  fetch(url, {
    ...request,
    headers: { ...request.headers, "Content-Encoding": "gzip" },
    body: gzipSync(request.body),
  });

const analytics = new Analytics({
  host,
  writeKey,
  ...(encoding === "gzip" ? { httpClient: compressed } : {}),
});
let delivered = 0;
let failed = 0;
const calls = JSON.parse(readFileSync(file, "utf8"));
for (const { method, ...fields } of calls) {
  analytics[method](fields, (error) => {
    if (error) {
      failed += 1;
      console.error(error);
    } else {
      delivered += 1;
    }
  });
}
await analytics.closeAndFlush({ timeout: 240_000 });
console.log(`${delivered} delivered, ${failed} failed`);
process.exit(delivered === calls.length ? 0 : 1);
