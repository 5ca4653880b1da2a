// Lays graphs out, beside the page: it may take long, and the page must not wait.
import dagre from '@dagrejs/dagre';

export type Box = { id: string; width: number; height: number };
// A line has room for its words.
export type Line = { from: string; to: string; width: number; height: number };
export type Laid = {
  width: number;
  height: number;
  boxes: Record<string, { x: number; y: number }>;
  // Where each line runs, and where the middle of its words is.
  lines: { points: { x: number; y: number }[]; x: number; y: number }[];
};

self.onmessage = ({ data }: MessageEvent<{ number: number; boxes: Box[]; lines: Line[] }>) => {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: 'TB', nodesep: 24, ranksep: 36, marginx: 8, marginy: 8 });
  data.boxes.forEach(({ id, width, height }) => graph.setNode(id, { width, height }));
  data.lines.forEach(({ from, to, width, height }, name) => graph.setEdge(from, to, { width, height, labelpos: 'c' }, String(name)));
  dagre.layout(graph);
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  const boxes = Object.fromEntries(data.boxes.map(({ id }) => {
    const { x, y } = graph.node(id) as { x: number; y: number };
    return [id, { x, y }];
  }));
  const lines = data.lines.map(({ from, to }, name) => {
    const { points, x = 0, y = 0 } = graph.edge(from, to, String(name)) as { points: { x: number; y: number }[]; x?: number; y?: number };
    return { points, x, y };
  });
  self.postMessage({ number: data.number, laid: { width, height, boxes, lines } satisfies Laid });
};
