import type { Box, Laid, Line } from './layout.worker';

let worker: Worker | undefined;
let count = 0;
const waiting = new Map<number, (laid: Laid) => void>();

export function layOut(boxes: Box[], lines: Line[]): Promise<Laid> {
  if (!worker) {
    worker = new Worker(new URL('./layout.worker.ts', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }) => {
      waiting.get(data.number)?.(data.laid);
      waiting.delete(data.number);
    };
  }
  const number = ++count;
  worker.postMessage({ number, boxes, lines });
  return new Promise((resolve) => waiting.set(number, resolve));
}
