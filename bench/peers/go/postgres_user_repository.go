package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/lib/pq"
)

const (
	uniqueViolation           = "23505"
	invalidTextRepresentation = "22P02"
	beforeAllIDs              = "00000000-0000-0000-0000-000000000000"
)

type postgresUserRepository struct {
	db *sql.DB
}

func (r *postgresUserRepository) FindByID(ctx context.Context, id string) (*User, error) {
	var user User
	err := r.db.QueryRowContext(
		ctx,
		"SELECT id, name, email, version, created_at, updated_at FROM users WHERE id = $1",
		id,
	).Scan(&user.ID, &user.Name, &user.Email, &user.Version, &user.CreatedAt, &user.UpdatedAt)
	if err == sql.ErrNoRows || hasCode(err, invalidTextRepresentation) {
		return nil, userNotFound(err)
	}
	if err != nil {
		return nil, databaseError(err)
	}
	return &user, nil
}

func (r *postgresUserRepository) List(ctx context.Context, after string, limit int) ([]*User, error) {
	if after == "" {
		after = beforeAllIDs
	}
	rows, err := r.db.QueryContext(
		ctx,
		"SELECT id, name, email, version, created_at, updated_at FROM users WHERE id > $1 ORDER BY id LIMIT $2",
		after, limit,
	)
	if hasCode(err, invalidTextRepresentation) {
		return nil, &AppError{Code: http.StatusBadRequest, Message: "Cursor is not valid", Err: err}
	}
	if err != nil {
		return nil, databaseError(err)
	}
	defer rows.Close()

	users := make([]*User, 0, limit)
	for rows.Next() {
		var user User
		err := rows.Scan(&user.ID, &user.Name, &user.Email, &user.Version, &user.CreatedAt, &user.UpdatedAt)
		if err != nil {
			return nil, databaseError(err)
		}
		users = append(users, &user)
	}
	if err := rows.Err(); err != nil {
		return nil, databaseError(err)
	}
	return users, nil
}

// Create saves the user and the message that announces it, both or neither.
func (r *postgresUserRepository) Create(ctx context.Context, user *User) error {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return databaseError(err)
	}
	defer tx.Rollback()

	if err := insertUser(ctx, tx, user); err != nil {
		return err
	}
	if err := insertMessage(ctx, tx, "user_created", user); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return databaseError(err)
	}
	return nil
}

func insertUser(ctx context.Context, tx *sql.Tx, user *User) error {
	_, err := tx.ExecContext(
		ctx,
		`INSERT INTO users (id, name, email, email_key, version, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		user.ID, user.Name, user.Email, strings.ToLower(user.Email), user.Version, user.CreatedAt, user.UpdatedAt,
	)
	if hasCode(err, uniqueViolation) {
		return &AppError{Code: http.StatusConflict, Message: "Email is taken", Err: err}
	}
	if err != nil {
		return databaseError(err)
	}
	return nil
}

func insertMessage(ctx context.Context, tx *sql.Tx, kind string, user *User) error {
	id, err := newID()
	if err != nil {
		return err
	}
	payload, err := json.Marshal(user)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(
		ctx,
		`INSERT INTO peer_outbox (id, aggregatetype, aggregateid, type, payload, created_at)
		VALUES ($1, 'user', $2, $3, $4, $5)`,
		id, user.ID, kind, payload, user.CreatedAt,
	)
	if err != nil {
		return databaseError(err)
	}
	return nil
}

func (r *postgresUserRepository) Delete(ctx context.Context, id string) error {
	result, err := r.db.ExecContext(ctx, "DELETE FROM users WHERE id = $1", id)
	if hasCode(err, invalidTextRepresentation) {
		return userNotFound(err)
	}
	if err != nil {
		return databaseError(err)
	}
	deleted, err := result.RowsAffected()
	if err != nil {
		return databaseError(err)
	}
	if deleted == 0 {
		return userNotFound(nil)
	}
	return nil
}

func hasCode(err error, code pq.ErrorCode) bool {
	pqErr, ok := err.(*pq.Error)
	return ok && pqErr.Code == code
}

func userNotFound(err error) error {
	return &AppError{Code: http.StatusNotFound, Message: "User not found", Err: err}
}

func databaseError(err error) error {
	return &AppError{Code: http.StatusInternalServerError, Message: "Database error", Err: err}
}
