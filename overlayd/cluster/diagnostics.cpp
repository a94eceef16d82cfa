// SPDX-License-Identifier: Apache-2.0
#include "overlayd/cluster/diagnostics.hpp"

#include <algorithm>
#include <tuple>

#include "core/text.hpp"

namespace overlayd::cluster {
void Diagnostics::error(Position where, std::string message, std::string hint) {
  list_.push_back({Severity::error, std::move(where), std::move(message), std::move(hint)});
  ++errors_;
}

void Diagnostics::warning(Position where, std::string message, std::string hint) {
  list_.push_back({Severity::warning, std::move(where), std::move(message), std::move(hint)});
}

std::vector<Diagnostic> Diagnostics::sorted() const {
  std::vector<Diagnostic> out = list_;
  const auto key = [](const Diagnostic& d) {
    return std::make_tuple(d.where.file ? std::string_view(*d.where.file) : std::string_view(), d.where.line,
                           d.where.column, std::string_view(d.message));
  };
  std::stable_sort(out.begin(), out.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  out.erase(std::unique(out.begin(), out.end(),
                        [&](const auto& a, const auto& b) { return key(a) == key(b) && a.severity == b.severity; }),
            out.end());
  return out;
}

std::size_t Diagnostics::count(Severity severity) const {
  const std::vector<Diagnostic> all = sorted();
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [&](const Diagnostic& d) { return d.severity == severity; }));
}

std::string to_line(const Diagnostic& diagnostic) {
  std::string out = core::printable(diagnostic.where.text());
  out += diagnostic.severity == Severity::error ? ": error: " : ": warning: ";
  out += core::printable(diagnostic.message);
  if (!diagnostic.hint.empty()) out += " (" + core::printable(diagnostic.hint) + ")";
  return out;
}

}  // namespace overlayd::cluster
