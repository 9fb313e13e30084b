BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0005');
CREATE TABLE alias_moves (
	model TEXT NOT NULL, 
	alias TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	version INTEGER, 
	moved_at DATETIME NOT NULL, 
	user TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	is_rollback BOOLEAN NOT NULL, 
	PRIMARY KEY (model, alias, number), 
	FOREIGN KEY(model, version) REFERENCES model_versions (name, version)
);
INSERT INTO "alias_moves" VALUES('digits','champion',1,1,'2026-11-22 10:29:26.877047','ada','first',0);
INSERT INTO "alias_moves" VALUES('digits','champion',2,2,'2026-11-22 10:29:26.879512','bob','fewer errors',0);
INSERT INTO "alias_moves" VALUES('digits','champion',3,1,'2026-11-22 10:29:26.881897','ada','it was slow',1);
INSERT INTO "alias_moves" VALUES('digits','staging',1,2,'2026-11-22 10:29:26.884665','ada','',0);
CREATE TABLE archived_versions (
	name TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	archived_at DATETIME NOT NULL, 
	user TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	PRIMARY KEY (name, version), 
	FOREIGN KEY(name, version) REFERENCES model_versions (name, version)
);
INSERT INTO "archived_versions" VALUES('digits',3,'2026-11-22 10:29:26.887669','ada','a mistake');
CREATE TABLE counters (
	kind VARCHAR(16) NOT NULL, 
	name TEXT NOT NULL, 
	last INTEGER NOT NULL, 
	PRIMARY KEY (kind, name)
);
INSERT INTO "counters" VALUES('run','digits',1);
INSERT INTO "counters" VALUES('model','digits',3);
INSERT INTO "counters" VALUES('run','lost',1);
INSERT INTO "counters" VALUES('search','digits',1);
INSERT INTO "counters" VALUES('run','tuned',1);
CREATE TABLE epochs (
	run_id TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	phase INTEGER NOT NULL, 
	seconds FLOAT NOT NULL, 
	metrics JSON NOT NULL, 
	PRIMARY KEY (run_id, number), 
	FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "epochs" VALUES('d202ahhj7pzj',1,1,0.5,'{"loss":1.0,"val_loss":2.0}');
INSERT INTO "epochs" VALUES('d202ahhj7pzj',2,1,0.5,'{"loss":0.5,"val_loss":1.0}');
INSERT INTO "epochs" VALUES('d202ahhj7pzj',3,1,0.5,'{"loss":0.3333333333333333,"val_loss":0.6666666666666666}');
INSERT INTO "epochs" VALUES('d202ahhj7pzj',4,1,0.5,'{"loss":0.25,"val_loss":0.5}');
INSERT INTO "epochs" VALUES('d208c9xerj8s',1,1,0.5,'{"loss":1.0,"val_loss":2.0}');
INSERT INTO "epochs" VALUES('d208c9xerj8s',2,1,0.5,'{"loss":0.5,"val_loss":1.0}');
CREATE TABLE heartbeats (
	host TEXT NOT NULL, 
	pid BIGINT NOT NULL, 
	process_started FLOAT NOT NULL, 
	machine TEXT NOT NULL, 
	beat_at DATETIME NOT NULL, 
	PRIMARY KEY (host, pid, process_started)
);
INSERT INTO "heartbeats" VALUES('elsewhere',7,1.0,'another boot pid:[4026531836]','2026-11-22 10:29:26');
CREATE TABLE model_versions (
	name TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	file TEXT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	size BIGINT NOT NULL, 
	signature JSON NOT NULL, 
	num_params BIGINT NOT NULL, 
	metrics JSON NOT NULL, 
	run_id TEXT NOT NULL, 
	run_ref TEXT NOT NULL, 
	user TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	PRIMARY KEY (name, version)
);
INSERT INTO "model_versions" VALUES('digits',1,'1.keras','9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c',7,'{"inputs":[{"name":"image","shape":[null,8,8,1],"dtype":"float32"}],"outputs":[{"name":"digit","shape":[null,10],"dtype":"float32"}]}',650,'{"val_loss":0.25}','d202ahhj7pzj','digits#1','ada','2026-11-22 00:08:20.958866');
INSERT INTO "model_versions" VALUES('digits',2,'2.keras','9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c',7,'{"inputs":[{"name":"image","shape":[null,8,8,1],"dtype":"float32"}],"outputs":[{"name":"digit","shape":[null,10],"dtype":"float32"}]}',650,'{"val_loss":0.25}','d202ahhj7pzj','digits#1','ada','2026-11-22 00:09:20.958866');
INSERT INTO "model_versions" VALUES('digits',3,'3.keras','9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c',7,'{"inputs":[{"name":"image","shape":[null,8,8,1],"dtype":"float32"}],"outputs":[{"name":"digit","shape":[null,10],"dtype":"float32"}]}',650,'{"val_loss":0.25}','d202ahhj7pzj','digits#1','ada','2026-11-22 00:10:20.958866');
CREATE TABLE run_scores (
	run_id TEXT NOT NULL, 
	metric TEXT NOT NULL, 
	value FLOAT NOT NULL, 
	PRIMARY KEY (run_id, metric), 
	FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "run_scores" VALUES('d202ahhj7pzj','loss',0.25);
INSERT INTO "run_scores" VALUES('d202ahhj7pzj','accuracy',0.875);
INSERT INTO "run_scores" VALUES('d208c9xerj8s','loss',0.5);
INSERT INTO "run_scores" VALUES('d208c9xerj8s','val_loss',1.0);
CREATE TABLE run_tags (
	run_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (run_id, "key"), 
	FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "run_tags" VALUES('d202ahhj7pzj','team','vision');
CREATE TABLE runs (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	started_at DATETIME NOT NULL, 
	ended_at DATETIME, 
	user TEXT NOT NULL, 
	host TEXT NOT NULL, 
	pid BIGINT NOT NULL, 
	process_started FLOAT NOT NULL, 
	source TEXT NOT NULL, 
	note TEXT NOT NULL, 
	options JSON NOT NULL, 
	facts JSON NOT NULL, 
	result JSON, 
	failure JSON, search_id TEXT REFERENCES searches (id), trial INTEGER, trial_values JSON, trial_scores JSON, parent_id TEXT, parent JSON, 
	PRIMARY KEY (id), 
	CONSTRAINT runs_by_name UNIQUE (name, number)
);
INSERT INTO "runs" VALUES('d202ahhj7pzj','digits',1,'completed','2026-11-22 00:08:20.939087','2026-11-22 00:08:20.952136','ada','elsewhere',1,0.0,'%%train digits
model.fit(x, y)
','kept','{}','{"seed":7}','{"model_id":null,"epochs":4,"train_loss":0.25,"val_loss":{"$float":"nan"},"train_metrics":{},"val_metrics":{},"monitor":"val_loss","best_epoch":4,"best_score":{"$float":"nan"},"best_metrics":{"loss":0.25,"val_loss":{"$float":"nan"},"accuracy":0.875},"duration":2.5,"hyperparams":{"optimizer":{"name":"adam","learning_rate":0.001}},"strategy":"cpu","precision":"float32","plan":"keras","reason":"CPU: this machine has no GPU."}',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES('d202ahhrn8kc','lost',1,'running','2026-11-22 00:08:20.965181',NULL,'ada','elsewhere',1,0.0,'%%train lost
model.fit(x, y)
','','{}','{}',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES('d208c9xerj8s','digits#1/1',1,'completed','2026-11-22 07:11:37.660772','2026-11-22 07:11:37.665349','ada','elsewhere',1,0.0,'%%tune digits
model.fit(x, y)
','','{}','{"seed":7}','{"model_id":null,"epochs":2,"train_loss":0.5,"val_loss":1.0,"train_metrics":{},"val_metrics":{},"monitor":"val_loss","best_epoch":2,"best_score":1.0,"best_metrics":{"loss":0.5,"val_loss":1.0},"duration":2.5,"hyperparams":{"optimizer":{"name":"adam","learning_rate":0.001}},"strategy":"cpu","precision":"float32","plan":"keras","reason":"CPU: this machine has no GPU.","plan_reason":""}',NULL,'d208c9xchkve',1,'{"units":16}','{"val_loss":1.0}',NULL,NULL);
INSERT INTO "runs" VALUES('d208c9xh6r05','digits#1/2',1,'running','2026-11-22 07:11:37.669885',NULL,'ada','elsewhere',1,0.0,'%%tune digits
model.fit(x, y)
','','{}','{}',NULL,NULL,'d208c9xchkve',2,'{"units":32,"rate":{"$float":"nan"}}','{}',NULL,NULL);
INSERT INTO "runs" VALUES('d20ejvzc653b','tuned',1,'running','2026-11-22 14:25:23.891252',NULL,'ada','elsewhere',1,0.0,'%%train tuned --fork digits#1@2
model.fit(x, y)
','','{"name":"tuned","fork":"digits#1@2"}','{}',NULL,NULL,NULL,NULL,NULL,NULL,'d202ahhj7pzj','{"id":"d202ahhj7pzj","ref":"digits#1","epoch":2,"step":0}');
CREATE TABLE searches (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	started_at DATETIME NOT NULL, 
	ended_at DATETIME, 
	user TEXT NOT NULL, 
	host TEXT NOT NULL, 
	pid BIGINT NOT NULL, 
	process_started FLOAT NOT NULL, 
	source TEXT NOT NULL, 
	note TEXT NOT NULL, 
	options JSON NOT NULL, 
	tags JSON NOT NULL, 
	facts JSON NOT NULL, 
	failure JSON, 
	trials_begun INTEGER NOT NULL, 
	state JSON NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT searches_by_name UNIQUE (name, number)
);
INSERT INTO "searches" VALUES('d208c9xchkve','digits',1,'interrupted','2026-11-22 07:11:37.652476','2026-11-22 07:11:37.671575','ada','elsewhere',1,0.0,'%%tune digits
model.fit(x, y)
','kept','{"trials":3}','{"team":"vision"}','{"objectives":["val_loss:min"],"seed":7,"said":["Interrupted."]}',NULL,2,'{"tried":[16,32],"told":[1.0]}');
CREATE INDEX run_tags_by_key ON run_tags ("key", value);
CREATE INDEX run_scores_by_metric ON run_scores (metric, value);
CREATE INDEX model_versions_by_run ON model_versions (run_id);
CREATE INDEX searches_by_start ON searches (started_at, id);
CREATE UNIQUE INDEX runs_by_trial ON runs (search_id, trial);
CREATE INDEX runs_by_start ON runs (search_id, started_at, id);
CREATE INDEX runs_by_status ON runs (status, search_id, started_at, id);
CREATE INDEX runs_by_parent ON runs (parent_id);
COMMIT;
