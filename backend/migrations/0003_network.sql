-- Trust on the network. Times are Unix milliseconds.

-- A read may be asked again under the same message id: then `variant` is the digest of what is asked. For
-- what has an effect it is empty, so that one id stands for one request.
CREATE TABLE inbox_by_variant (
    subscriber_id TEXT   NOT NULL,
    action        TEXT   NOT NULL,
    message_id    TEXT   NOT NULL,
    variant       BYTES  NOT NULL,
    digest        BYTES  NOT NULL,
    received_at   BIGINT NOT NULL,
    PRIMARY KEY (subscriber_id, action, message_id, variant)
);
INSERT INTO inbox_by_variant (subscriber_id, action, message_id, variant, digest, received_at)
    SELECT subscriber_id, action, message_id, CAST('' AS BYTES), digest, received_at FROM inbox;
DROP TABLE inbox;
ALTER TABLE inbox_by_variant RENAME TO inbox;
CREATE INDEX inbox_received ON inbox (received_at);

-- When a callback was delivered or given up.
ALTER TABLE callback ADD COLUMN finished_at BIGINT;
UPDATE callback SET finished_at = created_at WHERE state <> 'pending';
DROP INDEX callback_due;
-- What is pending is looked for by subscriber, so that one who takes nothing hides nobody's turn.
CREATE INDEX callback_pending ON callback (subscriber_id, next_attempt_at) WHERE state = 'pending';
-- Whose turn it is of an order, however many of its callbacks are over and kept.
CREATE INDEX callback_order_pending ON callback (order_key, sequence) WHERE state = 'pending';
-- Given up at their time without an attempt.
CREATE INDEX callback_expiring ON callback (expires_at) WHERE state = 'pending';
-- One an end, and none over all states: SQLite would look for what is pending in that one.
CREATE INDEX callback_delivered ON callback (finished_at) WHERE state = 'delivered';
-- What was given up is kept longer or shorter by what it tells of.
CREATE INDEX callback_dead ON callback (action, finished_at) WHERE state = 'dead';

-- What the registry last said of a subscriber in a role: its answer's entries, as JSON.
CREATE TABLE subscriber (
    subscriber_id TEXT   NOT NULL,
    role          TEXT   NOT NULL,
    entries       TEXT   NOT NULL,
    fetched_at    BIGINT NOT NULL,
    PRIMARY KEY (subscriber_id, role)
);
CREATE INDEX subscriber_fetched ON subscriber (fetched_at);

-- Keys of ours that the registry was asked to take up. Its challenge is answered for a while after, and so
-- often only.
CREATE TABLE registration (
    unique_key_id TEXT   NOT NULL PRIMARY KEY,
    asked_at      BIGINT NOT NULL,
    answers       BIGINT NOT NULL
);
