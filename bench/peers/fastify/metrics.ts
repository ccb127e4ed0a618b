import type { FastifyInstance } from "fastify";
import { Counter, collectDefaultMetrics, Histogram, register } from "prom-client";

/** Counts each request and writes its access line; answers `/metrics`. */
export function observe(app: FastifyInstance): void {
  collectDefaultMetrics();
  const total = new Counter({
    name: "http_requests_total",
    help: "Total number of HTTP requests",
    labelNames: ["method", "endpoint", "status"],
  });
  const duration = new Histogram({
    name: "http_request_duration_seconds",
    help: "HTTP request duration in seconds",
    labelNames: ["method", "endpoint"],
  });

  app.addHook("onResponse", (request, reply, done) => {
    const { method, routeOptions, url } = request;
    const endpoint = routeOptions.url ?? "unknown";
    total.labels(method, endpoint, String(reply.statusCode)).inc();
    duration.labels(method, endpoint).observe(reply.elapsedTime / 1000);
    request.log.info({ method, endpoint, url, status: reply.statusCode, duration_ms: reply.elapsedTime }, "request");
    done();
  });
  app.get("/metrics", async (_request, reply) => reply.type(register.contentType).send(await register.metrics()));
}
