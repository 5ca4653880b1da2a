// Where a time stands on a line, on which stretches without any work are short.

export type Stretch = { from: number; to: number };

// A stretch so many times as long as half of the work takes is folded.
const FOLDED = 20;
const LEAST_MS = 60_000;
// What a fold takes of the line.
const ROOM = 0.05;

// Where nothing was at work for far longer than attempts take.
export function foldsOf(work: Stretch[], begin: number, end: number): Stretch[] {
  if (!work.length) return [];
  const lengths = work.map(({ from, to }) => to - from).sort((a, b) => a - b);
  const least = Math.max((lengths[lengths.length >> 1] ?? 0) * FOLDED, LEAST_MS);
  const found: Stretch[] = [];
  let until = begin;
  for (const one of [...work].sort((a, b) => a.from - b.from).concat({ from: end, to: end })) {
    if (one.from - until > least) found.push({ from: until, to: one.from });
    until = Math.max(until, one.to);
  }
  return found;
}

// Places in percent of the line, and back.
export function scaleOf(folds: Stretch[], begin: number, end: number) {
  const kept = Math.max(1, end - begin - folds.reduce((sum, { from, to }) => sum + to - from, 0));
  const room = kept * ROOM;
  const whole = kept + folds.length * room;
  function place(time: number): number {
    let passed = time - begin;
    for (const { from, to } of folds) {
      if (time >= to) passed += room - (to - from);
      else if (time > from) passed += ((time - from) / (to - from)) * room - (time - from);
    }
    return Math.min(100, Math.max(0, (passed / whole) * 100));
  }
  function time(percent: number): number {
    let [low, high] = [begin, end];
    while (high - low > 0.5) {
      const middle = (low + high) / 2;
      if (place(middle) < percent) low = middle;
      else high = middle;
    }
    return high;
  }
  return { place, time };
}
