# mailkick: an opportunity is a list, and a mute is a subscription that is not there. `child.py` tells what is read
# and answered. MAILKICK is the path of a checkout of mailkick.

require "json"

def answer(value)
  puts JSON.generate(value)
  $stdout.flush
end

def connect(database)
  require "erb"
  require "logger"
  require "active_record"
  adapter = database["kind"] == "sqlite" ? "sqlite3" : "postgresql"
  options = database.slice("database", "host", "port", "username", "password").compact
  ActiveRecord::Base.establish_connection(adapter: adapter, **options.transform_keys(&:to_sym))
  ActiveRecord::Migration.verbose = false
end

# The gem's own migration, as `rails generate mailkick:install` would write it.
def install(checkout)
  require File.join(checkout, "lib/mailkick")
  require File.join(checkout, "app/models/mailkick/subscription")
  template = File.read(File.join(checkout, "lib/generators/mailkick/templates/install.rb.tt"))
  names = {migration_class_name: "InstallMailkick", primary_key_type: "", foreign_key_type: ""}
  version = "[#{ActiveRecord::Migration.current_version}]"
  eval(ERB.new(template).result_with_hash(migration_version: version, **names))
  InstallMailkick.new.change
end

def define_users
  ActiveRecord::Schema.define do
    create_table(:users) { |t| t.string :email, null: false, index: {unique: true} }
  end
  Object.const_set(:User, Class.new(ActiveRecord::Base) { has_subscriptions })
end

# A million rows: who is asked and not muted, and what the same people subscribe to besides.
def fill(task)
  muted = task["muted"].to_set
  strangers = task["muted"] - task["asked"]
  (task["asked"] + strangers).each_slice(10_000) do |part|
    User.insert_all(part.map { |address| {email: address} })
  end
  ids = User.pluck(:email, :id).to_h
  here = task["asked"].reject { |address| muted.include?(address) }.map { |address| [ids[address], task["opportunity"]] }
  all = ids.values
  others = Enumerator.new do |rows|
    (task["rows"] - here.size).times { |n| rows << [all[n % all.size], "other-#{n / all.size}"] }
  end
  now = Time.now.utc
  (here.each + others).each_slice(10_000) do |part|
    Mailkick::Subscription.insert_all(part.map do |id, list|
      {subscriber_type: "User", subscriber_id: id, list: list, created_at: now, updated_at: now}
    end)
  end
end

def seconds
  GC.start
  start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  yield
  Process.clock_gettime(Process::CLOCK_MONOTONIC) - start
end

begin
  task = JSON.parse($stdin.gets)
  connect(task["database"])
  install(File.expand_path(ENV.fetch("MAILKICK")))
  define_users
  fill(task)
  answer("mailkick #{Mailkick::VERSION}, Active Record #{ActiveRecord.version}, Ruby #{RUBY_VERSION}")
  work = -> { User.subscribed(task["opportunity"]).pluck(:email) }
  $stdin.each_line { |line| answer(JSON.parse(line) == "people" ? work.call : seconds(&work)) }
rescue LoadError => error
  answer({not_run: "needs #{error.path || "what MAILKICK should name"}"})
rescue StandardError => error
  answer({not_run: "#{error.class}: #{error.message.lines.first.strip}"})
end
