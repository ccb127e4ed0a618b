// A parameter is a whole segment: what a router makes of half a one is not obvious.
const PATH = /^(?:\/|(?:\/(?:[\w.~-]+|\{[A-Za-z_]\w*\}))+)$/;
const PARAM = /\{([A-Za-z_]\w*)\}/g;

/** Tells whether a path is a template: `/plain/{whole_segment}`. */
export function isPathTemplate(path: string): boolean {
  return PATH.test(path);
}

/** The names inside the braces of a path template, in order. */
export function pathParams(path: string): string[] {
  return Array.from(path.matchAll(PARAM), ([, name = ""]) => name);
}
