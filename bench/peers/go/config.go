package main

import "os"

// Config is what the environment tells the server. Without a RedisURL there is no cache.
type Config struct {
	Port        string
	DatabaseURL string
	RedisURL    string
	CachePrefix string
	LogLevel    string
}

// LoadConfig reads the environment.
func LoadConfig() *Config {
	return &Config{
		Port:        getEnv("PORT", "8080"),
		DatabaseURL: getEnv("DATABASE_URL", ""),
		RedisURL:    getEnv("REDIS_URL", ""),
		CachePrefix: getEnv("CACHE_PREFIX", "users:"),
		LogLevel:    getEnv("LOG_LEVEL", "info"),
	}
}

func getEnv(key, defaultValue string) string {
	value := os.Getenv(key)
	if value == "" {
		return defaultValue
	}
	return value
}
