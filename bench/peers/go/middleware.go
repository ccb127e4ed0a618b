package main

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
)

var (
	httpRequestsTotal = prometheus.NewCounterVec(
		prometheus.CounterOpts{
			Name: "http_requests_total",
			Help: "Total number of HTTP requests",
		},
		[]string{"method", "endpoint", "status"},
	)

	httpRequestDuration = prometheus.NewHistogramVec(
		prometheus.HistogramOpts{
			Name: "http_request_duration_seconds",
			Help: "HTTP request duration in seconds",
		},
		[]string{"method", "endpoint"},
	)
)

func init() {
	prometheus.MustRegister(httpRequestsTotal)
	prometheus.MustRegister(httpRequestDuration)
}

type responseWriter struct {
	http.ResponseWriter
	statusCode int
}

func (w *responseWriter) WriteHeader(statusCode int) {
	w.statusCode = statusCode
	w.ResponseWriter.WriteHeader(statusCode)
}

// observe counts each request and writes its access line.
func observe(log *logrus.Logger) mux.MiddlewareFunc {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			wrapped := &responseWriter{ResponseWriter: w, statusCode: http.StatusOK}
			next.ServeHTTP(wrapped, r)
			record(log, r, wrapped.statusCode, time.Since(start))
		})
	}
}

func record(log *logrus.Logger, r *http.Request, status int, duration time.Duration) {
	endpoint := endpointOf(r)
	httpRequestsTotal.WithLabelValues(r.Method, endpoint, strconv.Itoa(status)).Inc()
	httpRequestDuration.WithLabelValues(r.Method, endpoint).Observe(duration.Seconds())
	log.WithFields(logrus.Fields{
		"method":      r.Method,
		"endpoint":    endpoint,
		"path":        r.URL.Path,
		"status":      status,
		"duration_ms": float64(duration.Microseconds()) / 1000,
	}).Info("request")
}

// endpointOf gives the route's template: with the path, as in the article, each id would make a series of its own.
func endpointOf(r *http.Request) string {
	template, err := mux.CurrentRoute(r).GetPathTemplate()
	if err != nil {
		return "unknown"
	}
	return template
}

func recovery(log *logrus.Logger) mux.MiddlewareFunc {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				if thrown := recover(); thrown != nil {
					log.WithField("panic", thrown).Error("request panicked")
					writeJSON(w, http.StatusInternalServerError, map[string]string{"error": "Internal error"})
				}
			}()
			next.ServeHTTP(w, r)
		})
	}
}
