/**
 * The question of both event indices: has the position that the other side named been passed? (§2.7.7.2, §2.7.10, §2.8.10)
 * All three are free-running u16: `event` is the position asked for, `next` the one after what was just published, `old`
 * the same before it. Named is the entry *at* `event`, so that `event === old` fires and `event === next` does not.
 */
export function needEvent(event: number, next: number, old: number): boolean {
  const published = (next - old) & 0xffff;
  const sinceEvent = (next - event - 1) & 0xffff;
  return sinceEvent < published;
}
