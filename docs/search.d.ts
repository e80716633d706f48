/** What search.json has of a heading. */
export interface Section {
  readonly page: string;
  readonly heading: string;
  readonly to: string;
  readonly text: string;
}
export function find(sections: readonly Section[], query: string, most?: number): Section[];
export function around(text: string, query: string): string;
