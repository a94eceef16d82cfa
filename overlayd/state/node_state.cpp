// SPDX-License-Identifier: Apache-2.0
#include "overlayd/state/node_state.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/handle.hpp"

namespace overlayd::state {
namespace {

constexpr int kSchemaVersion = 1;
constexpr int kBusyMilliseconds = 5000;

constexpr const char* kSchema = R"sql(
CREATE TABLE IF NOT EXISTS reports (
  id INTEGER PRIMARY KEY,
  node TEXT NOT NULL,
  time INTEGER NOT NULL,
  peer TEXT NOT NULL,
  verdict INTEGER NOT NULL,
  report TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS reports_by_node ON reports (node, id);
CREATE TABLE IF NOT EXISTS scripts (
  node TEXT PRIMARY KEY,
  time INTEGER NOT NULL,
  peer TEXT NOT NULL,
  generation INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS unknown (
  mac TEXT NOT NULL, uuid TEXT NOT NULL, serial TEXT NOT NULL,
  product TEXT NOT NULL, peer TEXT NOT NULL, why TEXT NOT NULL,
  first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, times INTEGER NOT NULL,
  PRIMARY KEY (mac, uuid, serial));
)sql";

using Connection = core::Handle<sqlite3, sqlite3_close>;

[[noreturn]] void fail(sqlite3* connection, const std::string& path) {
  throw core::Error(core::ErrorKind::io, "node state " + path,
                    connection == nullptr ? "out of memory" : sqlite3_errmsg(connection))
      .with_hint(connection != nullptr && sqlite3_errcode(connection) == SQLITE_NOTADB
                     ? "move the file away: it holds no more than reports, and overlayd makes a new one"
                     : "");
}

void check(int result, sqlite3* connection, const std::string& path) {
  if (result != SQLITE_OK && result != SQLITE_ROW && result != SQLITE_DONE) fail(connection, path);
}

/// One prepared statement; parameters are bound in order.
class Statement {
 public:
  Statement(sqlite3* connection, const std::string& path, const char* sql) : connection_(connection), path_(path) {
    check(sqlite3_prepare_v2(connection, sql, -1, statement_.out(), nullptr), connection, path);
  }
  Statement& bind(const std::string& text) {
    check(sqlite3_bind_text64(statement_.get(), ++bound_, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8),
          connection_, path_);
    return *this;
  }
  Statement& bind(std::uint64_t number) {
    check(sqlite3_bind_int64(statement_.get(), ++bound_, static_cast<sqlite3_int64>(number)), connection_, path_);
    return *this;
  }
  bool step() {
    const int result = sqlite3_step(statement_.get());
    check(result, connection_, path_);
    return result == SQLITE_ROW;
  }
  std::string text(int column) const {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
    return bytes == nullptr
               ? std::string()
               : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)));
  }
  std::uint64_t number(int column) const {
    return static_cast<std::uint64_t>(sqlite3_column_int64(statement_.get(), column));
  }

 private:
  core::Handle<sqlite3_stmt, sqlite3_finalize> statement_;
  sqlite3* connection_;
  const std::string& path_;
  int bound_ = 0;
};

}  // namespace

struct NodeState::Database {
  std::string path;
  Connection connection;

  Statement prepare(const char* sql) const { return {connection.get(), path, sql}; }
  void run(const char* sql) const {
    check(sqlite3_exec(connection.get(), sql, nullptr, nullptr, nullptr), connection.get(), path);
  }
};

namespace {

NodeRecord record_of(const Statement& row) {
  NodeRecord out;
  out.time = row.number(0);
  out.peer = row.text(1);
  out.verdict = static_cast<StateVerdict>(row.number(2));
  out.report = core::format::parse_node_report(row.text(3), "stored report");
  return out;
}

}  // namespace

NodeState::NodeState(const std::string& path, Mode mode) : database_(new Database{path, {}}) {
  const bool writes = mode == Mode::read_write;
  const auto open_empty = [&] {
    check(sqlite3_open(":memory:", database_->connection.out()), database_->connection.get(), path);
    database_->run(kSchema);
  };
  if (!writes && access(path.c_str(), F_OK) != 0) {
    open_empty();
    return;
  }
  // Made by us, so that the mode is ours and not the umask's.
  if (writes) (void)core::open_file(path, O_RDWR | O_CREAT, 0640);
  const int flags = (writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX;
  check(sqlite3_open_v2(path.c_str(), database_->connection.out(), flags, nullptr), database_->connection.get(), path);
  sqlite3_busy_timeout(database_->connection.get(), kBusyMilliseconds);
  const std::uint64_t found = [&] {
    auto version = database_->prepare("PRAGMA user_version");
    version.step();
    return version.number(0);
  }();
  if (found > kSchemaVersion)
    throw core::Error(
        core::ErrorKind::unsupported, "node state " + path,
        "it has version " + std::to_string(found) + ", and this program knows " + std::to_string(kSchemaVersion));
  if (!writes) {
    if (found == 0) open_empty();
    return;
  }
  database_->run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
  database_->run(kSchema);
  database_->run("PRAGMA user_version = 1");
}

NodeState::~NodeState() = default;

void NodeState::report(const ReportEvent& event) {
  const std::lock_guard lock(mutex_);
  database_->run("BEGIN IMMEDIATE");
  try {
    database_->prepare("INSERT INTO reports (node, time, peer, verdict, report) VALUES (?, ?, ?, ?, ?)")
        .bind(event.report.node)
        .bind(event.time)
        .bind(event.peer)
        .bind(static_cast<std::uint64_t>(event.verdict))
        .bind(core::format::print(event.report))
        .step();
    database_
        ->prepare(
            "DELETE FROM reports WHERE node = ?1 AND id NOT IN (SELECT id FROM reports WHERE node = ?1 ORDER BY id "
            "DESC LIMIT ?2)")
        .bind(event.report.node)
        .bind(static_cast<std::uint64_t>(kBootsKept))
        .step();
    database_->run("COMMIT");
  } catch (...) {
    sqlite3_exec(database_->connection.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    throw;
  }
}

void NodeState::unknown(const UnknownEvent& event) {
  const std::lock_guard lock(mutex_);
  database_
      ->prepare(
          "INSERT INTO unknown VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, 1) ON CONFLICT (mac, uuid, serial) DO UPDATE "
          "SET "
          "product = ?4, peer = ?5, why = ?6, last_seen = ?7, times = times + 1")
      .bind(event.mac)
      .bind(event.uuid)
      .bind(event.serial)
      .bind(event.product)
      .bind(event.peer)
      .bind(event.why)
      .bind(event.time)
      .step();
  database_
      ->prepare(
          "DELETE FROM unknown WHERE rowid NOT IN (SELECT rowid FROM unknown ORDER BY last_seen DESC, rowid DESC LIMIT "
          "?)")
      .bind(static_cast<std::uint64_t>(kUnknownKept))
      .step();
}

void NodeState::boot_script(const std::string& node, std::uint64_t generation, const std::string& peer,
                            std::uint64_t time) {
  const std::lock_guard lock(mutex_);
  database_
      ->prepare(
          "INSERT INTO scripts VALUES (?1, ?2, ?3, ?4) ON CONFLICT (node) DO UPDATE SET time = ?2, peer = ?3, "
          "generation = ?4")
      .bind(node)
      .bind(time)
      .bind(peer)
      .bind(generation)
      .step();
}

std::optional<NodeRecord> NodeState::last(const std::string& node) const {
  auto found = boots(node, 1);
  return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

std::optional<ScriptRecord> NodeState::last_script(const std::string& node) const {
  const std::lock_guard lock(mutex_);
  auto row = database_->prepare("SELECT generation, time, peer FROM scripts WHERE node = ?");
  if (!row.bind(node).step()) return std::nullopt;
  return ScriptRecord{row.number(0), row.number(1), row.text(2)};
}

std::vector<NodeRecord> NodeState::boots(const std::string& node, std::size_t most) const {
  const std::lock_guard lock(mutex_);
  std::vector<NodeRecord> out;
  auto row =
      database_->prepare("SELECT time, peer, verdict, report FROM reports WHERE node = ? ORDER BY id DESC LIMIT ?");
  row.bind(node).bind(static_cast<std::uint64_t>(most));
  while (row.step()) out.push_back(record_of(row));
  return out;
}

std::vector<std::string> NodeState::reported_nodes() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  auto row = database_->prepare("SELECT DISTINCT node FROM reports ORDER BY node");
  while (row.step()) out.push_back(row.text(0));
  return out;
}

std::vector<UnknownRecord> NodeState::unknown_machines() const {
  const std::lock_guard lock(mutex_);
  std::vector<UnknownRecord> out;
  auto row = database_->prepare(
      "SELECT mac, uuid, serial, product, peer, why, last_seen, first_seen, times FROM unknown ORDER BY last_seen "
      "DESC, mac, uuid, serial");
  while (row.step())
    out.push_back({{row.text(0), row.text(1), row.text(2), row.text(3), row.text(4), row.text(5), row.number(6)},
                   row.number(7),
                   row.number(8)});
  return out;
}

void NodeState::forget_unknown(const std::string& mac, const std::string& uuid, const std::string& serial) {
  const std::lock_guard lock(mutex_);
  database_
      ->prepare(
          "DELETE FROM unknown WHERE (mac <> '' AND mac = ?) OR (uuid <> '' AND uuid = ?) OR (serial <> '' AND serial "
          "= ?)")
      .bind(mac)
      .bind(uuid)
      .bind(serial)
      .step();
}

}  // namespace overlayd::state
