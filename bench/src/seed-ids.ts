/**
 * So many UUIDs of version 7, in order, up to now. The eight hex digits of `tag` stand in each, so that what is named
 * after one is found again.
 */
export function seedIds(count: number, tag: string): string[] {
  const firstMs = Date.now() - count;
  return Array.from({ length: count }, (_, i) => {
    const time = toHex(firstMs + i, 12);
    return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${tag}${toHex(i, 4)}`;
  });
}

function toHex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
