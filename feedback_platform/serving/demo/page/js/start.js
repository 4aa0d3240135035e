// Puts the page together: connects it to the server, and begins.

import { DemoPage } from "./page.js";
import { Flags } from "./flags.js";
import { Memory } from "./memory.js";
import { Notices } from "./notices.js";
import { Server } from "./server.js";
import { Tracking } from "./tracking.js";

const root = new URL("..", document.baseURI);
const byId = (id) => document.getElementById(id);
const notices = new Notices({ problem: byId("problem"), empty: byId("empty") });

async function start() {
  notices.clear();
  try {
    const server = new Server(root);
    const { write_key, users } = await server.start();
    const memory = new Memory();
    const userId = await firstVisitor(server, memory, users);
    const [tracking, flags] = await Promise.all([
      Tracking.load(root, write_key),
      Flags.connect(root, write_key, userId),
    ]);
    const page = new DemoPage({ server, tracking, flags, memory, notices, users });
    await page.become(userId);
  } catch (error) {
    notices.fail(error.message, start);
  }
}

// Who was played before in this tab, unless the lake is another one by now.
async function firstVisitor(server, memory, users) {
  const wanted = memory.visitor ?? users[0]?.user_id ?? null;
  try {
    return await server.become(wanted);
  } catch (error) {
    if (error.status !== 403) throw error;
    return server.become(null);
  }
}

start();
