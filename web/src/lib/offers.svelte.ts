// What the page that is shown offers to do, for the palette.
export type Offer = { word: string; run: () => void };

export const offers = $state({ of: '', list: [] as Offer[] });

// Offers these until the function that this gives is called.
export function offer(of: string, list: Offer[]): () => void {
  Object.assign(offers, { of, list });
  return () => Object.assign(offers, { of: '', list: [] });
}
