package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/sirupsen/logrus"
)

const (
	defaultLimit = 20
	maxLimit     = 100
	maxBodyBytes = 1 << 20
)

type userHandler struct {
	users UserRepository
	log   *logrus.Logger
}

func newRouter(users *userHandler, log *logrus.Logger) *mux.Router {
	r := mux.NewRouter()
	r.HandleFunc("/health", healthHandler).Methods("GET")
	r.Handle("/metrics", promhttp.Handler()).Methods("GET")

	api := r.PathPrefix("/api/v1").Subrouter()
	api.HandleFunc("/users", users.list).Methods("GET")
	api.HandleFunc("/users", users.create).Methods("POST")
	api.HandleFunc("/users/{id}", users.get).Methods("GET")
	api.HandleFunc("/users/{id}", users.delete).Methods("DELETE")
	api.Use(observe(log))
	api.Use(recovery(log))
	return r
}

func healthHandler(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (h *userHandler) list(w http.ResponseWriter, r *http.Request) {
	limit, err := parseLimit(r.URL.Query().Get("limit"))
	if err != nil {
		h.writeError(w, err)
		return
	}
	// One more than asked for tells whether there is a next page.
	users, err := h.users.List(r.Context(), r.URL.Query().Get("cursor"), limit+1)
	if err != nil {
		h.writeError(w, err)
		return
	}
	page := UserPage{Items: users}
	if len(users) > limit {
		page = UserPage{Items: users[:limit], NextCursor: users[limit-1].ID}
	}
	writeJSON(w, http.StatusOK, page)
}

func parseLimit(value string) (int, error) {
	if value == "" {
		return defaultLimit, nil
	}
	limit, err := strconv.Atoi(value)
	if err != nil || limit < 1 || limit > maxLimit {
		return 0, &AppError{Code: http.StatusBadRequest, Message: "Limit is not valid", Err: err}
	}
	return limit, nil
}

func (h *userHandler) get(w http.ResponseWriter, r *http.Request) {
	user, err := h.users.FindByID(r.Context(), mux.Vars(r)["id"])
	if err != nil {
		h.writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, user)
}

func (h *userHandler) create(w http.ResponseWriter, r *http.Request) {
	var request NewUser
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes)).Decode(&request); err != nil {
		h.writeError(w, &AppError{Code: http.StatusBadRequest, Message: "Body is not valid", Err: err})
		return
	}
	if err := request.validate(); err != nil {
		h.writeError(w, err)
		return
	}
	user, err := createUser(&request)
	if err == nil {
		err = h.users.Create(r.Context(), user)
	}
	if err != nil {
		h.writeError(w, err)
		return
	}
	h.log.WithFields(logrus.Fields{"user_id": user.ID, "action": "create_user"}).Info("user created")
	w.Header().Set("Location", "/api/v1/users/"+user.ID)
	writeJSON(w, http.StatusCreated, user)
}

func (h *userHandler) delete(w http.ResponseWriter, r *http.Request) {
	id := mux.Vars(r)["id"]
	if err := h.users.Delete(r.Context(), id); err != nil {
		h.writeError(w, err)
		return
	}
	h.log.WithFields(logrus.Fields{"user_id": id, "action": "delete_user"}).Info("user deleted")
	w.WriteHeader(http.StatusNoContent)
}

func (h *userHandler) writeError(w http.ResponseWriter, err error) {
	var appErr *AppError
	if !errors.As(err, &appErr) {
		appErr = &AppError{Code: http.StatusInternalServerError, Message: "Internal error", Err: err}
	}
	if appErr.Code >= http.StatusInternalServerError {
		h.log.WithError(err).Error("request failed")
	}
	writeJSON(w, appErr.Code, map[string]string{"error": appErr.Message})
}

func writeJSON(w http.ResponseWriter, status int, body interface{}) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	// What fails here is a client that went away.
	_ = json.NewEncoder(w).Encode(body)
}
