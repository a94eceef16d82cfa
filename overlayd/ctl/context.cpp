// SPDX-License-Identifier: Apache-2.0
#include "overlayd/ctl/context.hpp"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "overlayd/cluster/reader.hpp"

namespace overlayd::ctl {

std::string Context::state_file() const {
  return (state.empty() ? core::directory_of(store) : state) + "/nodes.sqlite";
}

core::store::ObjectStore Context::open_store() const {
  return core::with_context("the store is given by --store or $STATELESS_STORE",
                            [&] { return core::store::ObjectStore::open(store); });
}

core::Json diagnostics_json(const cluster::Diagnostics& diagnostics) {
  core::Json list = core::Json::array();
  for (const cluster::Diagnostic& d : diagnostics.sorted()) {
    list.push_back({{"severity", d.severity == cluster::Severity::error ? "error" : "warning"},
                    {"file", d.where.file ? core::printable(*d.where.file) : ""},
                    {"line", d.where.line},
                    {"column", d.where.column},
                    {"message", core::printable(d.message)},
                    {"hint", core::printable(d.hint)}});
  }
  return list;
}

void print_diagnostics(const Context& context, const cluster::Diagnostics& diagnostics) {
  if (context.common.json) return;  // the command prints them in its document
  for (const cluster::Diagnostic& d : diagnostics.sorted()) std::fprintf(stderr, "%s\n", cluster::to_line(d).c_str());
}

std::unique_ptr<Loaded> load_description(const Context& context) {
  auto out = std::make_unique<Loaded>();
  cluster::Diagnostics diagnostics;
  out->description = cluster::read_description(context.cluster, diagnostics);
  out->cluster = cluster::resolve(out->description, diagnostics);
  if (diagnostics.has_errors()) {
    for (const cluster::Diagnostic& d : diagnostics.sorted()) std::fprintf(stderr, "%s\n", cluster::to_line(d).c_str());
    throw core::Error(core::ErrorKind::failed, "cluster description " + context.cluster,
                      std::to_string(diagnostics.count(cluster::Severity::error)) + " errors");
  }
  return out;
}

void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    std::cout << line << '\n';
  }
}

std::string time_text(std::uint64_t seconds) {
  if (seconds == 0) return "-";
  const auto when = static_cast<std::time_t>(seconds);
  std::tm parts{};
  char text[32];
  if (localtime_r(&when, &parts) == nullptr || std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts) == 0)
    return "-";
  return text;
}

std::string short_digest(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string hex = colon == std::string::npos ? text : text.substr(colon + 1);
  return hex.empty() ? "-" : hex.substr(0, 12);
}

std::string user_name() {
  for (const char* variable : {"SUDO_USER", "LOGNAME", "USER"})
    if (const char* value = std::getenv(variable); value != nullptr && *value != '\0' && core::is_utf8(value))
      return core::printable(value);
  const passwd* entry = getpwuid(getuid());
  return entry == nullptr ? std::to_string(getuid()) : entry->pw_name;
}

}  // namespace overlayd::ctl
