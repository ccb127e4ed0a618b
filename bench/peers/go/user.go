package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxNameLength  = 100
	maxEmailLength = 254
)

// User is a user, as the API and the cache have it.
type User struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	Version   int       `json:"version"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// NewUser is what it takes to create a user.
type NewUser struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// UserPage is a stretch of the list of users; without a NextCursor it is the last.
type UserPage struct {
	Items      []*User `json:"items"`
	NextCursor string  `json:"nextCursor,omitempty"`
}

// UserRepository keeps users.
type UserRepository interface {
	FindByID(ctx context.Context, id string) (*User, error)
	List(ctx context.Context, after string, limit int) ([]*User, error)
	Create(ctx context.Context, user *User) error
	Delete(ctx context.Context, id string) error
}

func (request *NewUser) validate() error {
	length := utf8.RuneCountInString(request.Name)
	if length == 0 || length > maxNameLength || strings.TrimSpace(request.Name) != request.Name {
		return &AppError{Code: http.StatusBadRequest, Message: "Name is not valid"}
	}
	address, err := mail.ParseAddress(request.Email)
	if err != nil || address.Address != request.Email || len(request.Email) > maxEmailLength {
		return &AppError{Code: http.StatusBadRequest, Message: "Email is not valid", Err: err}
	}
	return nil
}

func createUser(request *NewUser) (*User, error) {
	id, err := newID()
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	return &User{ID: id, Name: request.Name, Email: request.Email, Version: 1, CreatedAt: now, UpdatedAt: now}, nil
}

// newID gives a UUID of version 7: in the order of their ids, users are in the order of their creation.
func newID() (string, error) {
	var id [16]byte
	if _, err := rand.Read(id[6:]); err != nil {
		return "", err
	}
	var millis [8]byte
	binary.BigEndian.PutUint64(millis[:], uint64(time.Now().UnixMilli()))
	copy(id[:6], millis[2:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	text := hex.EncodeToString(id[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:], nil
}
