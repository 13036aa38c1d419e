/** An element that the page was written with. */

/** @throws Error naming the selector: the page and its program don't belong together then */
export function element<T extends Element = HTMLElement>(root: ParentNode, selector: string): T {
  const found = root.querySelector<T>(selector);
  if (found === null) throw new Error(`the page has no ${selector}`);
  return found;
}
