create table orders (
  id uuid primary key,
  user_id uuid not null,
  items jsonb not null check (jsonb_typeof(items) = 'array'),
  -- In whole minor units of the currency.
  amount bigint not null check (amount >= 0),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  status text not null check (status in ('open', 'paid', 'canceled')),
  cancel_reason text check (cancel_reason in ('requested', 'customer_deleted')),
  version integer not null check (version >= 1),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  constraint orders_reason_of_canceled check ((status = 'canceled') = (cancel_reason is not null))
);
create index orders_of_user on orders (user_id, id);
create index orders_open_of_user on orders (user_id, id) where status = 'open';

-- What users' events said, or that an order was placed for one: no more of a person than the id.
create table customers (
  id uuid primary key,
  version integer not null check (version >= 0),
  is_deleted boolean not null default false
);
