/** Migrations travel inside the bundle: esbuild's text loader turns a `.sql` import into a string. */
declare module "*.sql" {
  const text: string;
  export default text;
}
