package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sirupsen/logrus"
	"gopkg.in/redis.v5"
)

const cacheTTL = 5 * time.Minute

// cachedUserRepository reads users through Redis. Redis is never needed for an answer.
type cachedUserRepository struct {
	UserRepository
	redis  *redis.Client
	prefix string
	log    *logrus.Logger
}

func newCachedUserRepository(users UserRepository, config *Config, log *logrus.Logger) (UserRepository, error) {
	options, err := redis.ParseURL(config.RedisURL)
	if err != nil {
		return nil, err
	}
	client := redis.NewClient(options)
	return &cachedUserRepository{UserRepository: users, redis: client, prefix: config.CachePrefix, log: log}, nil
}

func (r *cachedUserRepository) FindByID(ctx context.Context, id string) (*User, error) {
	if user := r.find(id); user != nil {
		return user, nil
	}
	user, err := r.UserRepository.FindByID(ctx, id)
	if err != nil {
		return nil, err
	}
	r.keep(user)
	return user, nil
}

func (r *cachedUserRepository) Delete(ctx context.Context, id string) error {
	if err := r.UserRepository.Delete(ctx, id); err != nil {
		return err
	}
	if err := r.redis.Del(r.prefix + id).Err(); err != nil {
		r.log.WithError(err).Warn("cache delete failed")
	}
	return nil
}

func (r *cachedUserRepository) find(id string) *User {
	encoded, err := r.redis.Get(r.prefix + id).Bytes()
	if err == redis.Nil {
		return nil
	}
	var user User
	if err == nil {
		err = json.Unmarshal(encoded, &user)
	}
	if err != nil {
		r.log.WithError(err).Warn("cache read failed")
		return nil
	}
	return &user
}

func (r *cachedUserRepository) keep(user *User) {
	encoded, err := json.Marshal(user)
	if err == nil {
		err = r.redis.Set(r.prefix+user.ID, encoded, cacheTTL).Err()
	}
	if err != nil {
		r.log.WithError(err).Warn("cache write failed")
	}
}
