from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("gallery", "0005_enough"),
    ]

    operations = [
        migrations.RenameField(model_name="job", old_name="rung_at", new_name="notified_at"),
        migrations.RenameField(model_name="job", old_name="enough", new_name="finish_early"),
    ]
