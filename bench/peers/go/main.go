// The users service as the article's stack has it: gorilla/mux, lib/pq, go-redis, logrus and the Prometheus client.
package main

import (
	"context"
	"database/sql"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	_ "github.com/lib/pq"
	"github.com/sirupsen/logrus"
)

const (
	maxConnections  = 20
	readTimeout     = 15 * time.Second
	writeTimeout    = 15 * time.Second
	idleTimeout     = 60 * time.Second
	shutdownTimeout = 30 * time.Second
)

func main() {
	config := LoadConfig()
	log := newLogger(config.LogLevel)

	db, err := sql.Open("postgres", config.DatabaseURL)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(maxConnections)

	var users UserRepository = &postgresUserRepository{db: db}
	if config.RedisURL != "" {
		users, err = newCachedUserRepository(users, config, log)
		if err != nil {
			log.Fatal(err)
		}
	}

	srv := &http.Server{
		Addr:         "127.0.0.1:" + config.Port,
		Handler:      newRouter(&userHandler{users: users, log: log}, log),
		ReadTimeout:  readTimeout,
		WriteTimeout: writeTimeout,
		IdleTimeout:  idleTimeout,
	}
	serve(srv, log)
}

func newLogger(level string) *logrus.Logger {
	log := logrus.New()
	log.SetOutput(os.Stdout)
	log.SetFormatter(&logrus.JSONFormatter{})
	parsed, err := logrus.ParseLevel(level)
	if err != nil {
		log.Fatal(err)
	}
	log.SetLevel(parsed)
	return log
}

// serve answers until it is asked to stop, and lets the requests under way complete.
func serve(srv *http.Server, log *logrus.Logger) {
	go func() {
		if err := srv.ListenAndServe(); err != nil && err != http.ErrServerClosed {
			log.Fatalf("listen: %s", err)
		}
	}()

	quit := make(chan os.Signal, 1)
	signal.Notify(quit, syscall.SIGINT, syscall.SIGTERM)
	<-quit

	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		log.Fatalf("server forced to shutdown: %s", err)
	}
}
