create table users (
  id uuid primary key,
  name text not null check (char_length(name) between 1 and 100),
  email text not null check (char_length(email) between 3 and 254),
  -- What is unique about the email address, as the service computes it. In C order, no upgrade of the operating system's
  -- locales can spoil the index.
  email_key text collate "C" not null,
  version integer not null check (version >= 1),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  constraint users_email_key_unique unique (email_key)
);
