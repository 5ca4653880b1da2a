// One stream for all tabs of the browser: with one each, the seventh connection over HTTP/1.1 hangs.
/// <reference lib="webworker" />
import { Stream, type Condition } from './sse';

type Tab = { port: MessagePort; topics: string[]; heard: number };

// A tab that closes says nothing; one that has said nothing for so long is gone.
const GONE_MS = 90_000;

const tabs: Tab[] = [];
let condition: Condition = 'connecting';
let token: string | null = null;

const stream = new Stream(
  (news) => tabs.forEach((tab) => tab.port.postMessage({ news })),
  (now) => {
    condition = now;
    tabs.forEach((tab) => tab.port.postMessage({ condition }));
  },
);

function follow() {
  const now = Date.now();
  for (const gone of tabs.filter((tab) => now - tab.heard > GONE_MS)) tabs.splice(tabs.indexOf(gone), 1);
  const topics = [...new Set(tabs.flatMap((tab) => tab.topics))].sort();
  stream.follow(topics.join(','), token);
}

(self as unknown as SharedWorkerGlobalScope).onconnect = ({ ports }) => {
  const port = ports[0];
  if (!port) return;
  const tab: Tab = { port, topics: [], heard: Date.now() };
  tabs.push(tab);
  port.onmessage = ({ data }) => {
    tab.heard = Date.now();
    if (data.bye) {
      const place = tabs.indexOf(tab);
      if (place >= 0) tabs.splice(place, 1);
    } else {
      if (!tabs.includes(tab)) tabs.push(tab);
      tab.topics = data.topics;
      token = data.token;
    }
    follow();
  };
  port.postMessage({ condition });
};
