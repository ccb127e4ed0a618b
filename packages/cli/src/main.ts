#!/usr/bin/env node
import { buildServices, dev, formatBundles, reported } from "@parapet/dev";
import { Command } from "commander";
import { dlqCommand } from "./dlq/dlq-command.ts";

const program = new Command("parapet").description("Production microservices in TypeScript").showHelpAfterError();

program
  .command("dev")
  .description("run every service of this workspace on a real PostgreSQL, and restart what changes")
  .action(async () => {
    process.exitCode = await reported(() => dev({ root: process.cwd(), env: process.env, out: process.stdout }));
  });

program
  .command("build")
  .description("bundle every service of this workspace into services/<name>/dist/server.mjs")
  .action(async () => {
    process.exitCode = await reported(async () => {
      console.log(formatBundles(await buildServices(process.cwd()), process.cwd()));
    });
  });

program.addCommand(dlqCommand());

await program.parseAsync();
