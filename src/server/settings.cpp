#include "server/settings.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

namespace quorate::server {

namespace {

constexpr std::string_view property_prefix = "zookeeper.";

// Calls `visit` with the name and each further spelling of the setting; stops when it returns true.
template <class Visit>
bool any_spelling(const Setting& setting, Visit visit) {
  if (visit(setting.name)) {
    return true;
  }
  std::string_view rest = setting.spellings;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    if (visit(rest.substr(0, end))) {
      return true;
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

std::string_view without_prefix(std::string_view key) {
  return key.starts_with(property_prefix) ? key.substr(property_prefix.size()) : key;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// Levenshtein's distance without regard to case.
std::size_t distance(std::string_view first, std::string_view second) {
  const std::string a = lower(first);
  const std::string b = lower(second);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t column = 0; column <= b.size(); ++column) {
    row[column] = column;
  }
  for (std::size_t line = 1; line <= a.size(); ++line) {
    std::size_t diagonal = row[0];
    row[0] = line;
    for (std::size_t column = 1; column <= b.size(); ++column) {
      const std::size_t above = row[column];
      const std::size_t change = diagonal + (a[line - 1] == b[column - 1] ? 0U : 1U);
      row[column] = std::min({change, above + 1, row[column - 1] + 1});
      diagonal = above;
    }
  }
  return row.back();
}

std::string_view words_for(Effect effect) {
  constexpr std::array<std::string_view, 5> words = {"yes", "accepted, no effect", "done in any case", "with clusters",
                                                     "later"};
  return words[static_cast<std::size_t>(effect)];
}

std::string_view words_for(Kind kind) {
  constexpr std::array<std::string_view, 8> words = {"number",      "number",  "fraction", "true, false",
                                                     "true or not", "yes, no", "text",     "secret"};
  return words[static_cast<std::size_t>(kind)];
}

// Cells of a Markdown table: a vertical bar or an angle bracket would end or hide something.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '<' || c == '*' || c == '_') {
      out.push_back('\\');
    }
    out.push_back(c);
  }
  return out;
}

std::string range_of(const Setting& setting) {
  if (setting.kind != Kind::integer && setting.kind != Kind::size) {
    return {};
  }
  return std::to_string(setting.minimum) + " to " + std::to_string(setting.maximum) +
         (setting.takes_nearest ? ", else the nearest" : "");
}

}  // namespace

const Setting* find_setting(std::string_view key) {
  const std::string_view bare = without_prefix(key);
  const auto all = settings();
  const auto found = std::ranges::find_if(all, [bare](const Setting& setting) {
    return any_spelling(setting, [bare](std::string_view spelling) { return spelling == bare; });
  });
  return found == all.end() ? nullptr : &*found;
}

bool is_java_setting(std::string_view key) {
  const std::string_view bare = without_prefix(key);
  return std::ranges::any_of(java_settings(), [bare](std::string_view name) {
    return name.ends_with('*') ? bare.starts_with(name.substr(0, name.size() - 1)) : bare == name;
  });
}

bool is_numbered(std::string_view key, std::string_view family) {
  const std::string_view bare = without_prefix(key);
  return bare.size() > family.size() + 1 && bare.starts_with(family) && bare[family.size()] == '.';
}

std::string nearest_setting(std::string_view key) {
  const std::string_view bare = without_prefix(key);
  // Longer names forgive more slips; a distance beyond that suggests something else altogether.
  std::size_t best = std::min<std::size_t>(2 + bare.size() / 8, bare.size() / 2 + 1);
  std::string_view nearest;
  if (bare.size() > 200) {
    return {};
  }
  const auto consider = [&](std::string_view spelling) {
    if (bare.size() > spelling.size() + best || spelling.size() > bare.size() + best) {
      return false;  // At least that far away.
    }
    const std::size_t away = distance(bare, spelling);
    if (away < best || (away == best && nearest.empty())) {
      best = away;
      nearest = spelling;
    }
    return false;
  };
  for (const Setting& setting : settings()) {
    any_spelling(setting, consider);
  }
  for (const std::string_view name : java_settings()) {
    if (!name.ends_with('*')) {
      consider(name);
    }
  }
  return std::string(nearest);
}

std::string flag_of(const Setting& setting) {
  std::string flag = "--";
  bool after_lower = false;
  for (const char c : setting.name) {
    const auto letter = static_cast<unsigned char>(c);
    if (c == '.' || c == '_' || c == '-') {
      flag.push_back('-');
      after_lower = false;
      continue;
    }
    if (std::isupper(letter) != 0 && after_lower) {
      flag.push_back('-');
    }
    after_lower = std::isupper(letter) == 0;
    flag.push_back(static_cast<char>(std::tolower(letter)));
  }
  return flag;
}

std::string settings_as_markdown() {
  std::string out =
      "# Settings\n\n"
      "Generated by `quorate check-config --markdown`; a test compares. A file has the form of ZooKeeper's zoo.cfg "
      "(Java properties). Every name is also accepted with the prefix `zookeeper.`, and those that have an effect as "
      "flags of `quorate serve`. `quorate check-config FILE` shows the effective values and where they come from. "
      "A key that is unknown is a warning with a suggestion, a value that is out of range stops the start, or is "
      "replaced with a warning where the range says \"else the nearest\".\n\n"
      "Effect: what has none, or comes later, is a warning where a file asks for anything but the default, because "
      "nobody should believe in a limit that is not kept; what is done in any case, and what has a meaning only with "
      "clusters, is a note.\n\n"
      "\"true or not\" reads as ZooKeeper does: `true` in any case is true, everything else is false.\n\n"
      "| Setting | Also spelled | Flag | Type | Unit | Default | Range | Effect | Meaning |\n"
      "|---|---|---|---|---|---|---|---|---|\n";
  for (const Setting& setting : settings()) {
    out += "| `" + std::string(setting.name) + "` | " + cell(setting.spellings) + " | ";
    out += setting.effect == Effect::active ? "`" + flag_of(setting) + "`" : "";
    out += " | " + std::string(words_for(setting.kind)) + " | " + std::string(setting.unit) + " | ";
    out += cell(setting.standard) + " | " + range_of(setting) + " | " + std::string(words_for(setting.effect)) + " | ";
    out += cell(setting.meaning) + " |\n";
  }
  out +=
      "\nFamilies: `server.N=host:port:port[:role][;[host:]port]` (one line names this very server and is only "
      "checked; several are refused until clusters come), `group.N`, `weight.N` (no effect on one server), "
      "`authProvider.N` (providers of ZooKeeper are recognised, unknown ones stop the start), `superUser.N` "
      "(later).\n\n"
      "Settings of ZooKeeper's virtual machine, threads and libraries have no meaning here; they are accepted, with a "
      "warning:\n\n";
  for (const std::string_view name : java_settings()) {
    out += "- `" + std::string(name) + "`\n";
  }
  return out;
}

}  // namespace quorate::server
