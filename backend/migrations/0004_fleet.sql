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
