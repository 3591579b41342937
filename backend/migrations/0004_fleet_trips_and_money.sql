-- The fleet: who offers rides, who drives what, where, and what it costs. Times are Unix milliseconds,
-- amounts in paise. Changes are made by operators and their imports, and never by a configuration file.

-- What is offered to riders, or who may be offered a ride, changed: `version` grows with every change. Whoever
-- has the fleet in memory looks here.
CREATE TABLE fleet_change (
    what    TEXT   NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
);
INSERT INTO fleet_change (what, version) VALUES ('catalog', 0);
INSERT INTO fleet_change (what, version) VALUES ('roster', 0);

CREATE TABLE provider (
    provider_id TEXT    NOT NULL PRIMARY KEY,
    name        TEXT    NOT NULL,
    -- As riders see them.
    short_desc  TEXT,
    logo_url    TEXT,
    active      BOOLEAN NOT NULL,
    created_at  BIGINT  NOT NULL,
    updated_at  BIGINT  NOT NULL
);

CREATE TABLE driver (
    driver_id    TEXT    NOT NULL PRIMARY KEY,
    -- Of no provider in particular: of all of them.
    provider_id  TEXT    REFERENCES provider,
    name         TEXT    NOT NULL,
    phone        TEXT    NOT NULL,
    active       BOOLEAN NOT NULL,
    -- A keyed digest of the PIN, and tries since it was last right.
    pin_mac      BYTES,
    pin_tries    BIGINT  NOT NULL,
    rating_sum   BIGINT  NOT NULL,
    rating_count BIGINT  NOT NULL,
    created_at   BIGINT  NOT NULL,
    updated_at   BIGINT  NOT NULL
);
CREATE INDEX driver_contact ON driver (phone, name);

-- Drivers were columns of their vehicles. The same name and phone on several of them is one driver, whose id is
-- the first of their devices'.
INSERT INTO driver (driver_id, name, phone, active, pin_tries, rating_sum, rating_count, created_at, updated_at)
    SELECT MIN(device_id), driver_name, driver_phone, TRUE, 0, 0, 0, MIN(created_at), MIN(created_at)
    FROM vehicle GROUP BY driver_name, driver_phone;

ALTER TABLE vehicle ADD COLUMN provider_id TEXT REFERENCES provider;
ALTER TABLE vehicle ADD COLUMN driver_id TEXT REFERENCES driver;
ALTER TABLE vehicle ADD COLUMN make TEXT;
ALTER TABLE vehicle ADD COLUMN model TEXT;
ALTER TABLE vehicle ADD COLUMN color TEXT;
ALTER TABLE vehicle ADD COLUMN variant TEXT;
ALTER TABLE vehicle ADD COLUMN energy TEXT;
ALTER TABLE vehicle ADD COLUMN capacity BIGINT;
ALTER TABLE vehicle ADD COLUMN active BOOLEAN NOT NULL DEFAULT TRUE;
-- The roster's version at which it was changed last.
ALTER TABLE vehicle ADD COLUMN changed BIGINT NOT NULL DEFAULT 0;
UPDATE vehicle SET driver_id = (SELECT d.driver_id FROM driver d
    WHERE d.name = vehicle.driver_name AND d.phone = vehicle.driver_phone);
ALTER TABLE vehicle DROP COLUMN driver_name;
ALTER TABLE vehicle DROP COLUMN driver_phone;
CREATE INDEX vehicle_driver ON vehicle (driver_id);
CREATE INDEX vehicle_changed ON vehicle (changed);

-- Papers of drivers and vehicles. `owner_id` is a driver's id or a device's.
CREATE TABLE document (
    document_id TEXT   NOT NULL PRIMARY KEY,
    owner_kind  TEXT   NOT NULL,
    owner_id    TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    number      TEXT   NOT NULL,
    -- NULL: it does not expire.
    expires_at  BIGINT,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    UNIQUE (owner_kind, owner_id, kind, number)
);
CREATE INDEX document_expires ON document (expires_at, document_id);

-- Who is signed in on which device. A driver is on one device at a time, and a device has one driver.
CREATE TABLE duty (
    driver_id TEXT   NOT NULL PRIMARY KEY REFERENCES driver,
    device_id TEXT   NOT NULL UNIQUE REFERENCES vehicle,
    state     TEXT   NOT NULL,
    since     BIGINT NOT NULL
);

-- A driver's time with a vehicle, for which cash is accounted.
CREATE TABLE shift (
    shift_id   TEXT   NOT NULL PRIMARY KEY,
    driver_id  TEXT   NOT NULL REFERENCES driver,
    device_id  TEXT   NOT NULL REFERENCES vehicle,
    started_at BIGINT NOT NULL,
    ended_at   BIGINT
);
CREATE INDEX shift_driver ON shift (driver_id, started_at, shift_id);
CREATE INDEX shift_started ON shift (started_at, shift_id);
-- One at a time.
CREATE UNIQUE INDEX shift_open ON shift (driver_id) WHERE ended_at IS NULL;

-- What a driver took in (positive) and handed over (negative), in paise.
CREATE TABLE cash_entry (
    cash_entry_id TEXT   NOT NULL PRIMARY KEY,
    shift_id      TEXT   NOT NULL REFERENCES shift,
    kind          TEXT   NOT NULL,
    order_id      TEXT,
    amount        BIGINT NOT NULL,
    at            BIGINT NOT NULL,
    note          TEXT   NOT NULL,
    -- The fare of an order is taken in once.
    UNIQUE (order_id, kind)
);
CREATE INDEX cash_entry_shift ON cash_entry (shift_id, at);

CREATE TABLE rating (
    rating_id TEXT   NOT NULL PRIMARY KEY,
    driver_id TEXT   NOT NULL REFERENCES driver,
    order_id  TEXT   UNIQUE,
    stars     BIGINT NOT NULL,
    note      TEXT   NOT NULL,
    at        BIGINT NOT NULL
);
CREATE INDEX rating_driver ON rating (driver_id, at);

-- Tariffs never change: a change is a new version. The body is JSON.
CREATE TABLE tariff (
    code       TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    body       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (code, version)
);

-- What riders can book.
CREATE TABLE item (
    item_id          TEXT    NOT NULL PRIMARY KEY,
    provider_id      TEXT    NOT NULL REFERENCES provider,
    name             TEXT    NOT NULL,
    short_desc       TEXT,
    -- URLs of pictures, a JSON list.
    images           TEXT    NOT NULL,
    vehicle_category TEXT    NOT NULL,
    tariff_code      TEXT    NOT NULL,
    kind             TEXT    NOT NULL,
    active           BOOLEAN NOT NULL,
    created_at       BIGINT  NOT NULL,
    updated_at       BIGINT  NOT NULL
);

-- Where rides are served, and where another tariff applies. Of one item, or of all.
CREATE TABLE area (
    area_id     TEXT    NOT NULL PRIMARY KEY,
    name        TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    item_id     TEXT    REFERENCES item,
    tariff_code TEXT,
    priority    BIGINT  NOT NULL,
    geojson     TEXT    NOT NULL,
    active      BOOLEAN NOT NULL,
    created_at  BIGINT  NOT NULL,
    updated_at  BIGINT  NOT NULL
);

-- What riders can take up to pay less: an amount, or a part of the charges in basis points.
CREATE TABLE promotion (
    promotion_id TEXT    NOT NULL PRIMARY KEY,
    title        TEXT    NOT NULL,
    description  TEXT,
    amount       BIGINT,
    percent_bp   BIGINT,
    -- The most that a part comes to.
    most         BIGINT,
    -- Nothing comes off charges of less.
    least_fare   BIGINT  NOT NULL,
    -- From then on, and not from then on any more.
    from_at      BIGINT,
    until_at     BIGINT,
    -- Ids of items, a JSON list; of all if it is empty.
    items        TEXT    NOT NULL,
    active       BOOLEAN NOT NULL,
    created_at   BIGINT  NOT NULL,
    updated_at   BIGINT  NOT NULL
);

-- Who may use the admin API, and what operators did. Times are Unix milliseconds.

-- Who did it, where an operator did: the name of a token, or cli.
ALTER TABLE audit ADD COLUMN actor TEXT;
-- The list of entries is walked by time and id.
DROP INDEX audit_at;
CREATE INDEX audit_at ON audit (at, audit_id);

-- Of a token only the digest is kept.
CREATE TABLE admin_token (
    token_id     TEXT   NOT NULL PRIMARY KEY,
    name         TEXT   NOT NULL UNIQUE,
    role         TEXT   NOT NULL,
    -- SHA-256 of its secret.
    digest       BYTES  NOT NULL UNIQUE,
    created_at   BIGINT NOT NULL,
    created_by   TEXT   NOT NULL,
    -- Written once in a while only.
    last_used_at BIGINT,
    expires_at   BIGINT,
    revoked_at   BIGINT
);

-- What was answered to a request with an Idempotency-Key, so that it has one effect however often it comes.
CREATE TABLE admin_answer (
    token_id        TEXT   NOT NULL REFERENCES admin_token,
    idempotency_key TEXT   NOT NULL,
    -- SHA-256 of the method, the path and the body.
    digest          BYTES  NOT NULL,
    status          BIGINT NOT NULL,
    -- The answer; none where it held a secret, which is shown once.
    body            TEXT,
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (token_id, idempotency_key)
);
CREATE INDEX admin_answer_created ON admin_answer (created_at);

-- Trips: what orders are listed by, trips beside the one that counts, when devices were heard. Times are Unix
-- milliseconds.

-- What is in the body and looked for. All of it is written with the body.
ALTER TABLE ride_order ADD COLUMN provider_id TEXT;
ALTER TABLE ride_order ADD COLUMN driver_id TEXT;
ALTER TABLE ride_order ADD COLUMN device_id TEXT;
ALTER TABLE ride_order ADD COLUMN trip_state TEXT;
ALTER TABLE ride_order ADD COLUMN accepted_at BIGINT;
ALTER TABLE ride_order ADD COLUMN ended_at BIGINT;
ALTER TABLE ride_order ADD COLUMN open_cases BIGINT NOT NULL DEFAULT 0;
-- The form of the body: 1 for all that were written before forms were told apart.
ALTER TABLE ride_order ADD COLUMN body_version BIGINT NOT NULL DEFAULT 1;
CREATE INDEX ride_order_created ON ride_order (created_at, order_id);
CREATE INDEX ride_order_state ON ride_order (state, created_at, order_id);
CREATE INDEX ride_order_provider ON ride_order (provider_id, created_at, order_id)
    WHERE provider_id IS NOT NULL;
CREATE INDEX ride_order_driver ON ride_order (driver_id, created_at, order_id)
    WHERE driver_id IS NOT NULL;
CREATE INDEX ride_order_device ON ride_order (device_id, created_at, order_id)
    WHERE device_id IS NOT NULL;
CREATE INDEX ride_order_cases ON ride_order (created_at, order_id) WHERE open_cases > 0;
CREATE INDEX ride_order_under_way ON ride_order (created_at, order_id)
    WHERE trip_state IN ('assigned', 'en-route-to-pickup', 'at-pickup', 'started', 'paused');

-- Which order a trip belongs to, whether its offer was accepted or not: a device may report one that the order
-- was not given to.
CREATE TABLE trip (
    trip_id  TEXT NOT NULL PRIMARY KEY,
    order_id TEXT NOT NULL REFERENCES ride_order
);
CREATE INDEX trip_order ON trip (order_id);
INSERT INTO trip (trip_id, order_id)
    SELECT trip_id, order_id FROM ride_order WHERE trip_id IS NOT NULL;

-- When a lane's last batch was committed: by it a device that is not connected was heard.
ALTER TABLE lane_cursor ADD COLUMN moved_at BIGINT NOT NULL DEFAULT 0;

-- Who was asked for which order, and why. Times are Unix milliseconds.

-- Decisions of an order, one after another. The body is JSON.
CREATE TABLE dispatch_decision (
    order_id TEXT   NOT NULL REFERENCES ride_order,
    sequence BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    body     TEXT   NOT NULL,
    PRIMARY KEY (order_id, sequence)
);

-- What became of the offers made to a device, in thousandths of an offer, faded up to as_of; and since when
-- it has been without a ride.
CREATE TABLE device_offers (
    device_id  TEXT   NOT NULL PRIMARY KEY REFERENCES vehicle,
    accepted   BIGINT NOT NULL,
    rejected   BIGINT NOT NULL,
    expired    BIGINT NOT NULL,
    as_of      BIGINT NOT NULL,
    idle_since BIGINT,
    -- Whoever has them in memory looks for what changed last.
    changed_at BIGINT NOT NULL
);
CREATE INDEX device_offers_changed ON device_offers (changed_at);

-- Explanations and receipts: the trail by time, the events of a trip, a receipt's link.

-- Between which times the fixes of a batch lie; NULL where none of them tells, and in rows of before.
ALTER TABLE trail_batch ADD COLUMN first_at BIGINT;
ALTER TABLE trail_batch ADD COLUMN last_at BIGINT;

-- Batches of one journal folded together after a day: the same fixes and gaps with the same sequences, in
-- fewer and better coded bytes.
CREATE TABLE trail_run (
    device_id        TEXT   NOT NULL REFERENCES vehicle,
    epoch            BIGINT NOT NULL,
    through_sequence BIGINT NOT NULL,
    records          BIGINT NOT NULL,
    first_at         BIGINT NOT NULL,
    last_at          BIGINT NOT NULL,
    payload          BYTES  NOT NULL,
    PRIMARY KEY (device_id, epoch, through_sequence)
);
CREATE INDEX trail_run_time ON trail_run (device_id, last_at);
CREATE INDEX trail_run_age ON trail_run (last_at);

-- The trip an event is of; NULL for events of none, and in rows of before.
ALTER TABLE device_event ADD COLUMN trip_id TEXT;
CREATE INDEX device_event_trip ON device_event (trip_id) WHERE trip_id IS NOT NULL;

-- The capability under which an order's receipt is shown.
ALTER TABLE ride_order ADD COLUMN receipt_token TEXT;
CREATE UNIQUE INDEX ride_order_receipt ON ride_order (receipt_token)
    WHERE receipt_token IS NOT NULL;

-- How long things are kept, and what is taken out when somebody is to be forgotten. Times are Unix milliseconds.

-- SHA-256 of the rider's phone, its digits alone: by it all orders of a rider are found. Empty with the rider.
ALTER TABLE ride_order ADD COLUMN rider_key BYTES;
-- When names, phones, addresses and exact places were taken out of it.
ALTER TABLE ride_order ADD COLUMN erased_at BIGINT;
CREATE INDEX ride_order_rider ON ride_order (rider_key) WHERE rider_key IS NOT NULL;
-- What is over, by when: all of it, and what still names somebody.
CREATE INDEX ride_order_over ON ride_order (state, updated_at);
CREATE INDEX ride_order_personal ON ride_order (state, updated_at) WHERE erased_at IS NULL;
-- Which offers an order had, so that it can be deleted with them.
CREATE INDEX assignment_order ON assignment (order_id);

-- What is deleted by its age, by that.
CREATE INDEX trail_run_last ON trail_run (last_at);
CREATE INDEX device_event_received ON device_event (received_at);
CREATE INDEX set_aside_received ON set_aside (received_at);
CREATE INDEX down_message_over ON down_message (created_at) WHERE outcome IS NOT NULL;

-- Orders whose bodies earlier versions wrote: after this step each is written anew, and the index is empty.
CREATE INDEX ride_order_of_before ON ride_order (order_id) WHERE body_version < 2;

-- Forms that riders fill in before they book, the pages on which they do, and what they answered. Times are Unix
-- milliseconds.

-- A form as it is, and as it was: a change is a new version. The body is JSON.
CREATE TABLE form (
    form_id    TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    body       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (form_id, version)
);

-- The form of an item; none asks nothing.
ALTER TABLE item ADD COLUMN form_id TEXT;

-- A form as it was shown to a rider of this subscriber, under the capability that its address has.
CREATE TABLE form_page (
    page_token     TEXT   NOT NULL PRIMARY KEY,
    subscriber_id  TEXT   NOT NULL,
    transaction_id TEXT   NOT NULL,
    item_id        TEXT   NOT NULL,
    form_id        TEXT   NOT NULL,
    version        BIGINT NOT NULL,
    -- Counts up with each page of the subscriber: of so many the oldest go.
    number         BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL
);
CREATE INDEX form_page_asked ON form_page (subscriber_id, transaction_id, item_id);
CREATE INDEX form_page_number ON form_page (subscriber_id, number);
CREATE INDEX form_page_expires ON form_page (expires_at);

-- What a page was shown with, to be given back once.
CREATE TABLE form_nonce (
    page_token    TEXT   NOT NULL REFERENCES form_page ON DELETE CASCADE,
    nonce         TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    -- What came with it.
    submission_id TEXT,
    PRIMARY KEY (page_token, nonce)
);

-- What was answered. The answers are JSON.
CREATE TABLE form_submission (
    submission_id  TEXT   NOT NULL PRIMARY KEY,
    page_token     TEXT   NOT NULL,
    subscriber_id  TEXT   NOT NULL,
    transaction_id TEXT   NOT NULL,
    item_id        TEXT   NOT NULL,
    form_id        TEXT   NOT NULL,
    answers        TEXT   NOT NULL,
    at             BIGINT NOT NULL
);
CREATE INDEX form_submission_asked ON form_submission (subscriber_id, transaction_id, item_id, at);
CREATE INDEX form_submission_form ON form_submission (form_id, at, submission_id);
CREATE INDEX form_submission_page ON form_submission (page_token);
CREATE INDEX form_submission_at ON form_submission (at);

-- The submission that an order was made with; it is in the body too.
ALTER TABLE ride_order ADD COLUMN submission_id TEXT;
CREATE INDEX ride_order_submission ON ride_order (submission_id) WHERE submission_id IS NOT NULL;
