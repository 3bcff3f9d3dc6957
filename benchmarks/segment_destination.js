// Time Segment's own destination, "Facebook Conversions API (Actions)", as Segment runs it: a
// message, as JSON gives it, through mapping and action to the body of a request. What would go
// over the network is read and answered here. bench_segment.py calls this, with a folder that has
// the packages, and a file of messages.
"use strict";
const [, , packages, file, rounds] = process.argv;
const load = require("node:module").createRequire(`${packages}/`);
const network = load("cross-fetch");
let sent = "";
load.cache[load.resolve("cross-fetch")].exports = {
  __esModule: true,
  default: async (request) => {
    sent = await request.text();
    return new network.Response("{}", { headers: { "content-type": "application/json" } });
  },
  Headers: network.Headers,
  Request: network.Request,
  Response: network.Response,
};
const { Destination, defaultValues } = load("@segment/actions-core");
const definition = load(`${packages}/package/dist/destinations/facebook-conversions-api`).default;
const destination = new Destination(definition);
const lines = require("node:fs").readFileSync(file, "utf8").trim().split("\n");
const messages = lines.map((line) => JSON.parse(line));
const settings = { pixelId: "1", token: "token" };
const mapping = { ...defaultValues(definition.actions.purchase.fields), action_source: "website" };

async function once() {
  const before = process.cpuUsage();
  for (const event of messages) {
    await destination.executeAction("purchase", { event, mapping, settings });
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / messages.length;
}

(async () => {
  const times = [];
  for (let round = 0; round < Number(rounds); round += 1) times.push(await once());
  times.sort((a, b) => a - b);
  const { event_name } = JSON.parse(sent).data[0];
  console.log(JSON.stringify({ microseconds: times[times.length >> 1], event_name }));
})();
